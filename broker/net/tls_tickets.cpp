#include "net/tls_tickets.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <span>
#include <stdexcept>

namespace broker {

namespace {

void draw(std::span<unsigned char> to) {
    if (RAND_bytes(to.data(), static_cast<int>(to.size())) != 1) throw std::runtime_error{"TLS: no random numbers"};
}

} // namespace

tls_tickets::tls_tickets() : present_{random_key()} {}

tls_tickets::~tls_tickets() {
    OPENSSL_cleanse(&present_, sizeof present_);
    if (former_) OPENSSL_cleanse(&*former_, sizeof *former_);
}

tls_tickets::key tls_tickets::random_key() {
    key k;
    draw(k.name);
    draw(k.cipher);
    draw(k.mac);
    return k;
}

void tls_tickets::rotate(time_point now) {
    const std::lock_guard lock{mutex_};
    if (!made_) made_ = now;
    const auto age = now - *made_;
    if (age < key_life) return;
    if (former_) OPENSSL_cleanse(&*former_, sizeof *former_);
    former_.reset();
    if (age < 2 * key_life) former_ = present_;
    present_ = random_key();
    made_ = now;
}

void tls_tickets::serve(ssl_ctx_st* context) {
    SSL_CTX_set_app_data(context, this);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, &tls_tickets::choose);
}

// 0: no such key, a whole handshake; 1: this one; 2: this one, and the client gets a new ticket.
int tls_tickets::choose(ssl_st* connection, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int encrypts) {
    auto& self = *static_cast<tls_tickets*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(connection)));
    const std::lock_guard lock{self.mutex_};
    const auto* chosen = &self.present_;
    int said = 1;
    if (encrypts != 0) {
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
        std::ranges::copy(chosen->name, name);
    } else if (!std::equal(chosen->name.begin(), chosen->name.end(), name)) {
        if (!self.former_ || !std::equal(self.former_->name.begin(), self.former_->name.end(), name)) return 0;
        chosen = &*self.former_;
        said = 2;
    }
    std::array<char, 7> digest{"SHA256"};
    const std::array<OSSL_PARAM, 3> how{
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<unsigned char*>(chosen->mac.data()), chosen->mac.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0), OSSL_PARAM_construct_end()};
    if (EVP_MAC_CTX_set_params(mac, how.data()) != 1) return -1;
    const auto* const aes = EVP_aes_256_cbc();
    const int done = encrypts != 0 ? EVP_EncryptInit_ex(cipher, aes, nullptr, chosen->cipher.data(), iv)
                                   : EVP_DecryptInit_ex(cipher, aes, nullptr, chosen->cipher.data(), iv);
    return done == 1 ? said : -1;
}

} // namespace broker
