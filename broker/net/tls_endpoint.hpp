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
    tls_endpoint(std::string listener, tls_settings settings)
        : listener_{std::move(listener)}, settings_{std::move(settings)}, tickets_{random_ticket_keys()} {}

    // Reads the files and logs what works and should not be so. On an error, one line, everything stays as it is; before the
    // first success current() is null.
    [[nodiscard]] result<void, std::string> load();
    // load() of an endpoint that serves: the log says what came of it and, in a word, why it was tried.
    [[nodiscard]] result<void, std::string> reload(std::string_view why);
    // To be called every few seconds: reloads when the settings want it and a file has changed since it was last read, once it
    // has stopped changing.
    void watch();

    [[nodiscard]] const std::string& listener() const { return listener_; }
    [[nodiscard]] const tls_settings& settings() const { return settings_; }
    [[nodiscard]] std::shared_ptr<const tls_context> current() const;

    // Since the process started.
    std::atomic<std::uint64_t> handshakes{0}; // that succeeded
    std::atomic<std::uint64_t> handshakes_resumed{0}; // of these
    std::atomic<std::uint64_t> handshakes_failed{0};

private:
    const std::string listener_;
    const tls_settings settings_;
    const tls_ticket_keys tickets_;
    mutable std::mutex mutex_;
    std::shared_ptr<const tls_context> current_;
    std::string stamps_; // of the files when they were last read
    std::string seen_;   // by the last watch()
};

} // namespace broker
