#include "net/tls_context.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <new>
#include <stdexcept>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace broker {

namespace {

constexpr std::size_t file_size_max = 4 * 1024 * 1024;

template <auto Free>
struct freed_by {
    template <class T>
    void operator()(T* what) const { Free(what); }
};
using bio = std::unique_ptr<BIO, freed_by<BIO_free>>;
using certificate = std::unique_ptr<X509, freed_by<X509_free>>;
using revocation_list = std::unique_ptr<X509_CRL, freed_by<X509_CRL_free>>;
using private_key = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;

// Ciphers of TLS 1.2 that keep a recorded conversation secret when the key is lost later, and authenticate what they encrypt.
constexpr const char* ciphers_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20";

// Also removes OpenSSL's errors from the thread's queue.
std::string openssl_error() {
    const auto error = ERR_peek_last_error();
    ERR_clear_error();
    const auto* const reason = ERR_reason_error_string(error);
    return reason == nullptr ? "unknown error" : reason;
}

result<std::string, std::string> read_file(std::string_view key, const std::string& file) {
    const auto refuse = [&](int number) {
        return fail(fmt::format("{} {}: {}; check the name and its permissions", key, file, std::generic_category().message(number)));
    };
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return refuse(errno);
    std::string text;
    std::array<char, 16 * 1024> bytes{};
    ssize_t size = 0;
    while ((size = ::read(fd, bytes.data(), bytes.size())) > 0 && text.size() <= file_size_max) {
        text.append(bytes.data(), static_cast<std::size_t>(size));
    }
    const int number = errno;
    ::close(fd);
    if (size < 0) return refuse(number);
    if (text.size() > file_size_max) return fail(fmt::format("{} {}: is larger than 4 MiB; it should be a PEM file", key, file));
    return text;
}

bio reader(const std::string& text) { return bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))}; }

std::vector<certificate> certificates_in(const std::string& text) {
    std::vector<certificate> found;
    const auto in = reader(text);
    while (auto* const one = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)) found.emplace_back(one);
    ERR_clear_error(); // the end of the file is one
    return found;
}

std::vector<revocation_list> revocations_in(const std::string& text) {
    std::vector<revocation_list> found;
    const auto in = reader(text);
    while (auto* const one = PEM_read_bio_X509_CRL(in.get(), nullptr, nullptr, nullptr)) found.emplace_back(one);
    ERR_clear_error();
    return found;
}

private_key key_in(const std::string& text) {
    const auto in = reader(text);
    const auto nobody = [](char*, int, int, void*) { return -1; }; // OpenSSL would ask on the terminal for a password
    return private_key{PEM_read_bio_PrivateKey(in.get(), nullptr, nobody, nullptr)};
}

std::string name_text(const X509_NAME* name) {
    const bio out{BIO_new(BIO_s_mem())};
    X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    const char* text = nullptr;
    const auto size = BIO_get_mem_data(out.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

time_point time_of(const ASN1_TIME* t) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(t, &parts) != 1) return {};
    const auto bounded = std::clamp<std::time_t>(::timegm(&parts), 0, 9'000'000'000); // the clock counts nanoseconds
    return time_point{seconds{bounded}};
}

std::string lower_case(std::string name) {
    std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return name;
}

std::vector<std::string> names_of(const X509* of) {
    std::vector<std::string> names;
    auto* const all = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(of, NID_subject_alt_name, nullptr, nullptr));
    for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
        const auto* const one = sk_GENERAL_NAME_value(all, i);
        if (one->type != GEN_DNS && one->type != GEN_IPADD && one->type != GEN_EMAIL && one->type != GEN_URI) continue;
        const auto* const bytes = one->type == GEN_IPADD ? one->d.iPAddress : one->d.ia5;
        const auto* const data = ASN1_STRING_get0_data(bytes);
        const auto size = static_cast<std::size_t>(ASN1_STRING_length(bytes));
        if (one->type != GEN_IPADD) {
            std::string name{reinterpret_cast<const char*>(data), size};
            names.push_back(one->type == GEN_DNS ? lower_case(std::move(name)) : std::move(name));
        } else if (size == 4 || size == 16) {
            std::array<char, INET6_ADDRSTRLEN> text{};
            names.emplace_back(::inet_ntop(size == 4 ? AF_INET : AF_INET6, data, text.data(), text.size()));
        }
    }
    GENERAL_NAMES_free(all);
    return names;
}

certificate_facts facts_of(const std::string& file, const X509* of) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    X509_digest(of, EVP_sha256(), digest.data(), &size);
    return {.file = file,
            .subject = name_text(X509_get_subject_name(of)),
            .issuer = name_text(X509_get_issuer_name(of)),
            .names = names_of(of),
            .fingerprint = fmt::format("{:02x}", fmt::join(digest.begin(), digest.begin() + size, "")),
            .not_before = time_of(X509_get0_notBefore(of)),
            .not_after = time_of(X509_get0_notAfter(of))};
}

std::string date(time_point t) {
    return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(epoch_ms(t) / 1000)));
}

} // namespace

tls_context::~tls_context() {
    for (auto* const one : contexts_) SSL_CTX_free(one);
}

result<std::shared_ptr<const tls_context>, std::string> tls_context::load(const tls_settings& settings, std::shared_ptr<tls_tickets> tickets) {
    const std::shared_ptr<tls_context> made{new tls_context{std::move(tickets)}};
    made->identity_ = settings.client.identity;
    for (const auto& files : settings.certificates) {
        if (auto added = made->add(settings, files); !added) return fail(added.error());
    }
    return made;
}

result<void, std::string> tls_context::add(const tls_settings& settings, const tls_certificate_files& files) {
    ERR_clear_error();
    const auto cert_text = read_file("tls.cert", files.cert);
    if (!cert_text) return fail(cert_text.error());
    const auto key_text = read_file("tls.key", files.key);
    if (!key_text) return fail(key_text.error());
    const auto chain = certificates_in(*cert_text);
    if (chain.empty()) {
        return fail(fmt::format("tls.cert {}: holds no certificate; it must be PEM, with -----BEGIN CERTIFICATE-----", files.cert));
    }
    const auto key = key_in(*key_text);
    if (!key) {
        const auto why = openssl_error();
        if (key_text->find("ENCRYPTED") != std::string::npos) {
            return fail(fmt::format("tls.key {}: is encrypted with a password; write it without one, as openssl pkey does", files.key));
        }
        return fail(fmt::format("tls.key {}: holds no private key that can be read ({}); it must be PEM, with -----BEGIN PRIVATE "
                                "KEY-----", files.key, why));
    }
    if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
        ERR_clear_error();
        const bool later = std::ranges::any_of(chain, [&](const auto& c) { return X509_check_private_key(c.get(), key.get()) == 1; });
        ERR_clear_error();
        if (later) {
            return fail(fmt::format("tls.cert {}: the certificate that tls.key {} belongs to must be the first one in it", files.cert,
                                    files.key));
        }
        return fail(fmt::format("tls.key {}: does not match the certificate in tls.cert {}; they must be made together", files.key,
                                files.cert));
    }
    struct stat status{};
    if (::stat(files.key.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0) {
        remarks_.push_back(fmt::format("tls.key {}: every user of this host can read it; chmod o-r it", files.key));
    }

    auto* const context = SSL_CTX_new(TLS_server_method());
    if (context == nullptr) throw std::bad_alloc{};
    contexts_.push_back(context);
    SSL_CTX_set_min_proto_version(context, settings.min == tls_version::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    // A socket that ends without a goodbye is an end: MQTT, STOMP and WebSocket tell a cut message from a whole one.
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1); // one read of the socket for all that fits, not two for each record
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); // clients keep their sessions, as tickets
    SSL_CTX_set_num_tickets(context, 1);
    tickets_->serve(context);
    if (auto done = verify_clients(context, settings.client); !done) return done;
    if (SSL_CTX_set_cipher_list(context, ciphers_1_2) != 1) return fail(fmt::format("TLS: {}", openssl_error()));
    if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) {
        return fail(fmt::format("tls.cert {}: {}", files.cert, openssl_error())); // a key that is too small, for instance
    }
    for (std::size_t i = 1; i != chain.size(); ++i) {
        if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) {
            return fail(fmt::format("tls.cert {}: certificate {} in it: {}", files.cert, i + 1, openssl_error()));
        }
    }
    if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) return fail(fmt::format("tls.key {}: {}", files.key, openssl_error()));
    SSL_CTX_callback_ctrl(context, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB, reinterpret_cast<void (*)()>(&tls_context::choose_certificate));
    SSL_CTX_set_tlsext_servername_arg(context, this);
    facts_.push_back(facts_of(files.cert, chain.front().get()));
    return {};
}

result<void, std::string> tls_context::verify_clients(ssl_ctx_st* context, const tls_client_settings& settings) {
    using verification = tls_client_settings::verification;
    std::string rules = fmt::format("brokerd {}", static_cast<int>(settings.verify));
    if (settings.verify != verification::none) {
        const auto ca_text = read_file("tls.client.ca", settings.ca);
        if (!ca_text) return fail(ca_text.error());
        auto* const store = SSL_CTX_get_cert_store(context);
        const auto authorities = certificates_in(*ca_text);
        if (authorities.empty()) {
            return fail(fmt::format("tls.client.ca {}: holds no certificate; it must be PEM, with -----BEGIN CERTIFICATE-----", settings.ca));
        }
        for (const auto& one : authorities) {
            if (X509_STORE_add_cert(store, one.get()) != 1 || SSL_CTX_add_client_CA(context, one.get()) != 1) {
                return fail(fmt::format("tls.client.ca {}: {}", settings.ca, openssl_error()));
            }
        }
        rules += *ca_text;
        if (!settings.crl.empty()) {
            const auto crl_text = read_file("tls.client.crl", settings.crl);
            if (!crl_text) return fail(crl_text.error());
            const auto lists = revocations_in(*crl_text);
            if (lists.empty()) {
                return fail(fmt::format("tls.client.crl {}: holds no list; it must be PEM, with -----BEGIN X509 CRL-----", settings.crl));
            }
            for (const auto& one : lists) {
                X509_STORE_add_crl(store, one.get());
                const auto* const next = X509_CRL_get0_nextUpdate(one.get());
                if (next != nullptr && X509_cmp_current_time(next) < 0 && contexts_.size() == 1) {
                    remarks_.push_back(fmt::format("tls.client.crl {}: a newer one was due on {}; no client of its authority is let in",
                                                   settings.crl, date(time_of(next))));
                }
            }
            X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
            rules += *crl_text;
        }
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (settings.verify == verification::required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                           nullptr);
    }
    // A resumed session is not verified again: it must not come from a time with other rules.
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    EVP_Digest(rules.data(), rules.size(), digest.data(), &size, EVP_sha256(), nullptr);
    SSL_CTX_set_session_id_context(context, digest.data(), std::min(size, 32U)); // SSL_MAX_SID_CTX_LENGTH
    return {};
}

std::string tls_context::identity_of(const ssl_st* established) const {
    const auto* const shown = SSL_get0_peer_certificate(established);
    if (shown == nullptr) return {};
    if (identity_ == tls_client_settings::name::alternative_name) {
        const auto names = names_of(shown);
        return names.empty() ? "" : names.front();
    }
    auto* const subject = X509_get_subject_name(shown);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) return {};
    unsigned char* text = nullptr;
    const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (size < 0) return {};
    std::string name{reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)};
    OPENSSL_free(text);
    return name;
}

ssl_ctx_st* tls_context::context_for(std::string_view host) const {
    const auto name = lower_case(std::string{host});
    const auto dot = name.find('.');
    const auto any_host = dot == std::string::npos ? std::string{} : "*" + name.substr(dot);
    for (const auto& wanted : {name, any_host}) {
        for (std::size_t i = 0; i != facts_.size(); ++i) {
            if (!wanted.empty() && std::ranges::find(facts_[i].names, wanted) != facts_[i].names.end()) return contexts_[i];
        }
    }
    return contexts_.front();
}

// RFC 6066 §3. A name that no certificate is for gets the first one: what to make of that is the client's business.
int tls_context::choose_certificate(ssl_st* connection, int*, void* self) {
    const auto* const name = SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
    auto* const chosen = static_cast<const tls_context*>(self)->context_for(name);
    if (chosen != SSL_get_SSL_CTX(connection)) SSL_set_SSL_CTX(connection, chosen);
    return SSL_TLSEXT_ERR_OK;
}

std::vector<std::string> tls_context::warnings(time_point now) const {
    auto all = remarks_;
    for (const auto& c : facts_) {
        if (c.not_after < now) {
            all.push_back(fmt::format("tls.cert {}: expired on {}; clients will refuse it", c.file, date(c.not_after)));
        } else if (now < c.not_before) {
            all.push_back(fmt::format("tls.cert {}: is not valid before {}; clients will refuse it", c.file, date(c.not_before)));
        }
    }
    return all;
}

} // namespace broker
