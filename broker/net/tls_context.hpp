// tls_context: certificates and rules of a listener, read from files once and immutable. tls_endpoint: the context a
// listener uses now, and what came of it. Written over OpenSSL alone, which nothing outside broker/net sees.
#pragma once

#include "core/result.hpp"
#include "core/time.hpp"
#include "core/tls_settings.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

struct ssl_ctx_st;
struct ssl_st;

namespace broker {

// What an operator wants to know of a certificate.
struct certificate_facts {
    std::string file{};
    std::string subject{}; // "CN=example.com,O=Example"
    std::string issuer{};
    std::vector<std::string> names{}; // DNS names and addresses it is for
    std::string fingerprint{};        // SHA-256, hex
    time_point not_before{};
    time_point not_after{};
};

class tls_context {
public:
    // Reads the files. The error is one line that names key, file, reason and what to do.
    [[nodiscard]] static result<std::shared_ptr<const tls_context>, std::string> load(const tls_settings& settings);

    tls_context(const tls_context&) = delete;
    tls_context& operator=(const tls_context&) = delete;
    ~tls_context();

    [[nodiscard]] const std::vector<certificate_facts>& certificates() const { return facts_; } // as in the settings
    // One line for each thing that works and should not be so: a certificate out of its time, a key others can read.
    [[nodiscard]] std::vector<std::string> warnings(time_point now) const;

    [[nodiscard]] ssl_ctx_st* native() const { return contexts_.front(); }

private:
    tls_context() = default;
    [[nodiscard]] result<void, std::string> add(const tls_settings& settings, const tls_certificate_files& files);
    [[nodiscard]] ssl_ctx_st* context_for(std::string_view host) const;
    static int choose_certificate(ssl_st* connection, int* alert, void* self);

    std::vector<ssl_ctx_st*> contexts_; // one for each certificate
    std::vector<certificate_facts> facts_;
    std::vector<std::string> remarks_;
};

// Threading: any.
class tls_endpoint {
public:
    tls_endpoint(tls_settings settings, std::shared_ptr<const tls_context> first)
        : settings_{std::move(settings)}, current_{std::move(first)} {}

    [[nodiscard]] std::shared_ptr<const tls_context> current() const {
        const std::lock_guard lock{mutex_};
        return current_;
    }

    std::atomic<std::uint64_t> handshakes{0}; // that succeeded
    std::atomic<std::uint64_t> handshakes_failed{0};

private:
    const tls_settings settings_;
    mutable std::mutex mutex_;
    std::shared_ptr<const tls_context> current_;
};

} // namespace broker
