// password: hashes of passwords: argon2id (libsodium, RFC 9106) for our own, and those of Mosquitto's password files.
//
//   $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH   ours; anybody's with these fields
//   $7$ITERATIONS$SALT$HASH                    PBKDF2 with HMAC-SHA-512, base64
//   $6$SALT$HASH                               SHA-512 of password and salt, base64; Mosquitto's own, not crypt(3)
//
// A verification takes milliseconds on purpose: not on a shard (worker_pool.hpp). Threading: any.
#pragma once

#include "core/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace broker::security {

// What a hash costs: whoever steals the hashes pays it per guess. The default is what OWASP recommends for argon2id.
struct hash_cost {
    std::size_t memory_bytes = 19 * 1024 * 1024;
    unsigned passes = 2;
};

class password_hash {
public:
    // Error: no memory.
    [[nodiscard]] static result<password_hash, std::string> of(std::string_view password, const hash_cost& cost);

    // Error: none of the forms above, or one that would take more than 256 MiB or several seconds to verify.
    [[nodiscard]] static result<password_hash, std::string> parse(std::string_view text);

    [[nodiscard]] bool matches(std::string_view password) const;
    [[nodiscard]] const std::string& text() const { return text_; }

    // Another kind, or cheaper to guess: to be replaced when its password is seen next.
    [[nodiscard]] bool weaker_than(const hash_cost& cost) const;

private:
    enum class kind : std::uint8_t { argon2id, pbkdf2_sha512, sha512 };
    password_hash() = default;

    kind kind_ = kind::argon2id;
    std::string text_;
    hash_cost cost_{};           // argon2id
    std::uint32_t iterations_ = 0; // PBKDF2
    std::string salt_;           // the other two
    std::string hash_;
};

} // namespace broker::security
