// test_certificates: a directory with fresh certificates and keys as PEM files.
#pragma once

#include "support/test_keys.hpp"

#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

namespace broker::test {

struct certificate_wish {
    std::string common_name{"localhost"};
    std::string alternative_names{"DNS:localhost,IP:127.0.0.1"};
    long begins_in_s = -3600; // from now
    long ends_in_s = 86'400;
};

// Signed by itself with an EC key.
struct made_certificate {
    std::string cert_pem{};
    std::string key_pem{};
};

inline made_certificate self_signed(const certificate_wish& wish = {}) {
    auto* const key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
    auto* const x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), wish.begins_in_s);
    X509_gmtime_adj(X509_getm_notAfter(x), wish.ends_in_s);
    X509_set_pubkey(x, key);
    auto* const name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(wish.common_name.c_str()), -1, -1, 0);
    X509_set_issuer_name(x, name);
    auto* const names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, wish.alternative_names.c_str());
    X509_add_ext(x, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(x, key, EVP_sha256());
    auto* const out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(out, x);
    X509_free(x);
    return {.cert_pem = detail::drained(out), .key_pem = pems_of(key).private_pem};
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
