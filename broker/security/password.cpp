#include "security/password.hpp"

#include "security/base64.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <sodium.h>

#include <array>
#include <charconv>
#include <optional>
#include <vector>

namespace broker::security {

namespace {

constexpr std::size_t memory_max = 256 * 1024 * 1024;
constexpr std::uint32_t passes_max = 64;
constexpr std::uint32_t lanes_max = 16;
constexpr std::uint32_t iterations_max = 1'000'000;
constexpr std::size_t text_max = 1024;
constexpr std::size_t sha512_bytes = 64;

std::vector<std::string_view> fields_of(std::string_view text) { // "$a$b" → "a", "b"
    std::vector<std::string_view> made;
    while (text.starts_with('$')) {
        text.remove_prefix(1);
        const auto end = text.find('$');
        made.push_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end);
    }
    return made;
}

// Digits only, as a whole.
std::optional<std::uint32_t> number_in(std::string_view text) {
    std::uint32_t n = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (ec != std::errc{} || end != text.data() + text.size() || text.starts_with('-')) return std::nullopt;
    return n;
}

std::optional<std::uint32_t> number_after(std::string_view label, std::string_view field) {
    return field.starts_with(label) ? number_in(field.substr(label.size())) : std::nullopt;
}

struct argon2_parameters {
    std::uint32_t memory_kib = 0;
    std::uint32_t passes = 0;
    std::uint32_t lanes = 0;
};

// "m=19456,t=2,p=1"
std::optional<argon2_parameters> argon2_parameters_in(std::string_view field) {
    const auto first = field.find(',');
    const auto second = first == std::string_view::npos ? first : field.find(',', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    const auto m = number_after("m=", field.substr(0, first));
    const auto t = number_after("t=", field.substr(first + 1, second - first - 1));
    const auto p = number_after("p=", field.substr(second + 1));
    if (!m || !t || !p) return std::nullopt;
    return argon2_parameters{.memory_kib = *m, .passes = *t, .lanes = *p};
}

bool ready() { return sodium_init() >= 0; } // once; after that it costs nothing

using digest = std::array<unsigned char, sha512_bytes>;
const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

bool pbkdf2(std::string_view password, std::string_view salt, std::uint32_t iterations, digest& into) {
    return PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), bytes(salt), static_cast<int>(salt.size()),
                             static_cast<int>(iterations), EVP_sha512(), sha512_bytes, into.data()) == 1;
}

} // namespace

result<password_hash, std::string> password_hash::of(std::string_view password, const hash_cost& cost) {
    std::array<char, crypto_pwhash_STRBYTES> made{};
    if (!ready() || crypto_pwhash_str_alg(made.data(), password.data(), password.size(), cost.passes, cost.memory_bytes, crypto_pwhash_ALG_ARGON2ID13) != 0) {
        return fail(std::string{"no memory to hash the password"});
    }
    return parse(made.data());
}

result<password_hash, std::string> password_hash::parse(std::string_view text) {
    if (text.size() > text_max) return fail(fmt::format("longer than {} bytes", text_max));
    const auto fields = fields_of(text);
    password_hash made;
    made.text_ = text;
    if (fields.size() == 5 && fields[0] == "argon2id" && fields[1] == "v=19") {
        const auto p = argon2_parameters_in(fields[2]);
        if (!p || text.size() >= crypto_pwhash_STRBYTES) return fail(std::string{"an argon2id hash that cannot be read"});
        if (p->memory_kib > memory_max / 1024 || p->passes > passes_max || p->lanes > lanes_max || p->memory_kib < 8 || p->passes == 0 || p->lanes == 0) {
            return fail(fmt::format("an argon2id hash with m={}, t={}, p={}; at most m={}, t={}, p={}", p->memory_kib, p->passes, p->lanes,
                                    memory_max / 1024, passes_max, lanes_max));
        }
        made.cost_ = {.memory_bytes = std::size_t{p->memory_kib} * 1024, .passes = p->passes};
        return made;
    }
    const bool pbkdf2 = fields.size() == 4 && fields[0] == "7";
    if (!pbkdf2 && !(fields.size() == 3 && fields[0] == "6")) return fail(std::string{"neither $argon2id$, $7$ nor $6$"});
    made.kind_ = pbkdf2 ? kind::pbkdf2_sha512 : kind::sha512;
    const auto salt = from_base64(fields[fields.size() - 2]);
    const auto hash = from_base64(fields.back());
    if (!salt || salt->empty() || !hash || hash->size() != sha512_bytes) return fail(std::string{"its salt and hash are not base64 of the right length"});
    made.salt_ = *salt;
    made.hash_ = *hash;
    if (pbkdf2) {
        const auto iterations = number_in(fields[1]);
        if (!iterations || *iterations == 0 || *iterations > iterations_max) return fail(fmt::format("iterations are 1 to {}", iterations_max));
        made.iterations_ = *iterations;
    }
    return made;
}

bool password_hash::matches(std::string_view password) const {
    if (!ready()) return false;
    digest made{};
    bool computed = false;
    switch (kind_) {
    case kind::argon2id: return crypto_pwhash_str_verify(text_.c_str(), password.data(), password.size()) == 0;
    case kind::pbkdf2_sha512: computed = pbkdf2(password, salt_, iterations_, made); break;
    case kind::sha512: {
        const auto salted = std::string{password} + salt_;
        computed = EVP_Digest(salted.data(), salted.size(), made.data(), nullptr, EVP_sha512(), nullptr) == 1;
        break;
    }
    }
    return computed && sodium_memcmp(made.data(), hash_.data(), sha512_bytes) == 0;
}

bool password_hash::weaker_than(const hash_cost& cost) const {
    return kind_ != kind::argon2id || cost_.memory_bytes < cost.memory_bytes || cost_.passes < cost.passes;
}

} // namespace broker::security
