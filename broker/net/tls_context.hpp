// tls_context: certificates and rules of a listener, read from files once and immutable. Written over OpenSSL, which nothing
// outside broker/net sees.
#pragma once

#include "core/result.hpp"
#include "core/time.hpp"
#include "core/tls_settings.hpp"
#include "net/tls_tickets.hpp"

#include <memory>
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
    std::vector<std::string> names{}; // DNS names, addresses, mail addresses and URIs it is for
    std::string fingerprint{};        // SHA-256, hex
    time_point not_before{};
    time_point not_after{};
};

class tls_context {
public:
    // Reads the files. The error is one line that names key, file, reason and what to do. `tickets`: a client resumes with whoever has the same.
    [[nodiscard]] static result<std::shared_ptr<const tls_context>, std::string> load(const tls_settings& settings,
                                                                                      std::shared_ptr<tls_tickets> tickets);

    tls_context(const tls_context&) = delete;
    tls_context& operator=(const tls_context&) = delete;
    ~tls_context();

    [[nodiscard]] const std::vector<certificate_facts>& certificates() const { return facts_; } // as in the settings
    // One line for each thing that works and should not be so: a certificate out of its time, a key others can read.
    [[nodiscard]] std::vector<std::string> warnings(time_point now) const;

    // Of the client at the other end: the name its certificate gives it, as the settings want it; empty: it has shown none.
    [[nodiscard]] std::string identity_of(const ssl_st* established) const;

    [[nodiscard]] ssl_ctx_st* native() const { return contexts_.front(); }

private:
    explicit tls_context(std::shared_ptr<tls_tickets> tickets) : tickets_{std::move(tickets)} {}
    [[nodiscard]] result<void, std::string> add(const tls_settings& settings, const tls_certificate_files& files);
    [[nodiscard]] result<void, std::string> verify_clients(ssl_ctx_st* context, const tls_client_settings& settings);
    [[nodiscard]] ssl_ctx_st* context_for(std::string_view host) const;
    static int choose_certificate(ssl_st* connection, int* alert, void* self);

    std::shared_ptr<tls_tickets> tickets_;
    std::vector<ssl_ctx_st*> contexts_; // one for each certificate
    std::vector<certificate_facts> facts_;
    std::vector<std::string> remarks_;
    tls_client_settings::name identity_ = tls_client_settings::name::common_name;
};

} // namespace broker
