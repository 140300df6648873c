// admin_channel: a connection of the admin API: a descriptor that somebody else owns, plain or with TLS, and calls that wait.
// Threading: one thread.
#pragma once

#include "core/time.hpp"
#include "net/tls_stream.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace broker {

class admin_channel {
public:
    // `with` null: plain.
    admin_channel(int fd, std::shared_ptr<const tls_context> with);

    // The TLS handshake. False: it failed, or took longer.
    [[nodiscard]] bool open(milliseconds within);

    enum class outcome : std::uint8_t { some, nothing_yet, end };
    struct received {
        outcome what = outcome::end;
        std::size_t size = 0;
    };
    // Waits at most so long for the first byte.
    [[nodiscard]] received receive(std::span<char> to, milliseconds patience);

    // All of it. False: the peer is gone, or has not read for `send_within`.
    [[nodiscard]] bool send(std::string_view bytes);
    static constexpr milliseconds send_within{10'000};

    // Nothing will be sent any more. What still comes is read and forgotten until the peer closes, at most so long: closing over unread input
    // would reset, and take the last answer with it.
    void finish(milliseconds linger);

    [[nodiscard]] bool over_tls() const { return tls_.has_value(); }

private:
    [[nodiscard]] bool wait(short events, milliseconds patience) const;
    [[nodiscard]] bool wait(tls_stream::wait_type type, milliseconds patience) const;

    int fd_;
    std::optional<tls_stream> tls_;
};

} // namespace broker
