// tls_endpoint: what a listener's TLS is now. Its files can be read again while it serves: who is connected stays so, who comes
// gets the new certificates, and sessions of before are resumed.
// Threading: any.
#pragma once

#include "net/tls_context.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace broker {

class tls_endpoint {
public:
    tls_endpoint(std::string listener, tls_settings settings) : listener_{std::move(listener)}, settings_{std::move(settings)} {}

    // Reads the files and logs what works and should not be so. On an error, one line, everything stays as it is; before the
    // first success current() is null.
    [[nodiscard]] result<void, std::string> load();
    // load() of an endpoint that serves: the log says what came of it and, in a word, why it was tried.
    [[nodiscard]] result<void, std::string> reload(std::string_view why);
    // To be called every few seconds: reloads when the settings want it and a file has changed since it was last read, once it
    // has stopped changing. The keys of session tickets are renewed.
    void watch(time_point now);

    [[nodiscard]] const std::string& listener() const { return listener_; }
    [[nodiscard]] const tls_settings& settings() const { return settings_; }
    [[nodiscard]] std::shared_ptr<const tls_context> current() const;

    // One handshake, from its beginning to its end, whichever that is.
    class under_way {
    public:
        explicit under_way(tls_endpoint& of) : of_{of} { of_.under_way_.fetch_add(1, std::memory_order_relaxed); }
        ~under_way() { of_.under_way_.fetch_sub(1, std::memory_order_relaxed); }
        under_way(const under_way&) = delete;
        under_way& operator=(const under_way&) = delete;

    private:
        tls_endpoint& of_;
    };
    [[nodiscard]] std::size_t handshakes_under_way() const { return under_way_.load(std::memory_order_relaxed); }

    // Since the process started.
    std::atomic<std::uint64_t> handshakes{0}; // that succeeded
    std::atomic<std::uint64_t> handshakes_resumed{0}; // of these
    std::atomic<std::uint64_t> handshakes_failed{0};

private:
    const std::string listener_;
    const tls_settings settings_;
    const std::shared_ptr<tls_tickets> tickets_ = std::make_shared<tls_tickets>();
    std::atomic<std::size_t> under_way_{0};
    mutable std::mutex mutex_;
    std::shared_ptr<const tls_context> current_;
    std::string stamps_; // of the files when they were last read
    std::string seen_;   // by the last watch()
};

} // namespace broker
