// test_certificates: a directory with fresh certificates and keys as PEM files.
#pragma once

#include "support/test_keys.hpp"

#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace broker::test {

namespace detail {
inline X509* certificate_in(const std::string& pem) {
    auto* const in = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    auto* const found = PEM_read_bio_X509(in, nullptr, nullptr, nullptr);
    BIO_free(in);
    return found;
}
inline EVP_PKEY* key_in(const std::string& pem) {
    auto* const in = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    auto* const found = PEM_read_bio_PrivateKey(in, nullptr, nullptr, nullptr);
    BIO_free(in);
    return found;
}
} // namespace detail

struct certificate_wish {
    std::string common_name{"localhost"};
    std::string alternative_names{"DNS:localhost,IP:127.0.0.1"};
    long begins_in_s = -3600; // from now
    long ends_in_s = 86'400;
    long serial = 1;
    bool authority = false; // may sign others
};

struct made_certificate {
    std::string cert_pem{};
    std::string key_pem{};
};

// With a fresh EC key; signed by `authority`, or by itself.
inline made_certificate certificate_of(const certificate_wish& wish, const made_certificate* authority = nullptr) {
    auto* const key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
    auto* const x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), wish.serial);
    X509_gmtime_adj(X509_getm_notBefore(x), wish.begins_in_s);
    X509_gmtime_adj(X509_getm_notAfter(x), wish.ends_in_s);
    X509_set_pubkey(x, key);
    auto* const name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(wish.common_name.c_str()), -1, -1, 0);
    auto* const issuer = authority == nullptr ? nullptr : detail::certificate_in(authority->cert_pem);
    auto* const signer = authority == nullptr ? nullptr : detail::key_in(authority->key_pem);
    X509_set_issuer_name(x, issuer == nullptr ? name : X509_get_subject_name(issuer));
    auto* const names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, wish.alternative_names.c_str());
    X509_add_ext(x, names, -1);
    X509_EXTENSION_free(names);
    if (wish.authority) {
        auto* const may_sign = X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE");
        X509_add_ext(x, may_sign, -1);
        X509_EXTENSION_free(may_sign);
    }
    X509_sign(x, signer == nullptr ? key : signer, EVP_sha256());
    X509_free(issuer);
    EVP_PKEY_free(signer);
    auto* const out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(out, x);
    X509_free(x);
    return {.cert_pem = detail::drained(out), .key_pem = pems_of(key).private_pem};
}

inline made_certificate self_signed(const certificate_wish& wish = {}) { return certificate_of(wish); }

// A list of the authority's with these serial numbers in it, that ends in a day.
inline std::string revocations(const made_certificate& authority, const std::vector<long>& serials) {
    auto* const issuer = detail::certificate_in(authority.cert_pem);
    auto* const signer = detail::key_in(authority.key_pem);
    auto* const list = X509_CRL_new();
    X509_CRL_set_version(list, 1);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer));
    auto* const when = ASN1_TIME_new();
    X509_gmtime_adj(when, -60);
    X509_CRL_set1_lastUpdate(list, when);
    for (const auto serial : serials) {
        auto* const one = X509_REVOKED_new();
        auto* const number = ASN1_INTEGER_new();
        ASN1_INTEGER_set(number, serial);
        X509_REVOKED_set_serialNumber(one, number);
        X509_REVOKED_set_revocationDate(one, when);
        ASN1_INTEGER_free(number);
        X509_CRL_add0_revoked(list, one);
    }
    X509_gmtime_adj(when, 86'400);
    X509_CRL_set1_nextUpdate(list, when);
    ASN1_TIME_free(when);
    X509_CRL_sign(list, signer, EVP_sha256());
    auto* const out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509_CRL(out, list);
    X509_CRL_free(list);
    X509_free(issuer);
    EVP_PKEY_free(signer);
    return detail::drained(out);
}

class certificate_directory {
public:
    certificate_directory() : path_{std::filesystem::temp_directory_path() / ("brokerd-tls-" + std::to_string(std::random_device{}()))} {
        std::filesystem::create_directories(path_);
    }
    ~certificate_directory() { std::filesystem::remove_all(path_); }
    certificate_directory(const certificate_directory&) = delete;
    certificate_directory& operator=(const certificate_directory&) = delete;

    // The file's name.
    std::string write(const std::string& name, const std::string& text) const {
        const auto file = (path_ / name).string();
        std::filesystem::remove(file);
        std::ofstream{file} << text;
        std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
        return file;
    }
    [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

} // namespace broker::test
