// test_keys: fresh key pairs as PEM.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <string>
#include <string_view>

namespace broker::test {

struct key_pair {
    std::string private_pem{};
    std::string public_pem{};
};

namespace detail {
inline std::string drained(BIO* from) {
    char* data = nullptr;
    const auto size = BIO_get_mem_data(from, &data);
    std::string text{data, static_cast<std::size_t>(size)};
    BIO_free_all(from);
    return text;
}
} // namespace detail

inline key_pair pems_of(EVP_PKEY* pkey) {
    key_pair made;
    BIO* out = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(out, pkey, nullptr, nullptr, 0, nullptr, nullptr);
    made.private_pem = detail::drained(out);
    out = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(out, pkey);
    made.public_pem = detail::drained(out);
    EVP_PKEY_free(pkey);
    return made;
}

inline key_pair rsa_pair(std::size_t bits = 2048) { return pems_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", bits)); }
inline key_pair ec_pair(const char* curve = "P-256") { return pems_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve)); }
inline key_pair ed25519_pair() { return pems_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")); }

} // namespace broker::test
