// api_key: named secrets for programs, with rights of their own and an end.
//
//   bk_NAME_SECRET   NAME: 1 to 64 letters, digits, '.', '_', '-'. SECRET: 256 random bits, base64url (43 characters)
//
// Only the SHA-256 of SECRET is kept. Nobody guesses 256 random bits, so it needs no costly hash and is verified where it arrives.
#pragma once

#include "core/time.hpp"
#include "security/token_rules.hpp"

#include <array>
#include <map>
#include <memory>
#include <optional>

namespace broker::security {

using secret_digest = std::array<std::uint8_t, 32>;

struct api_key {
    std::string name{};
    secret_digest digest{};
    time_point created{};
    time_point expires = never;
    std::vector<std::string> scopes{}; // as they were given
    granted gives{};                   // what they say
};

inline constexpr std::size_t api_key_name_max = 64;
inline constexpr std::size_t api_key_scopes_max = 100;

// The user a key's clients are: nobody else's name begins like this, so a key never comes into a user's sessions, nor a user into a key's.
inline constexpr std::string_view api_key_user_prefix = "apikey:";
[[nodiscard]] std::string api_key_user(std::string_view name);

// Scopes: ACTION,...:FILTER and role:NAME as in a token (token_rules.hpp), and manage for manage:#. Error: one line.
[[nodiscard]] result<api_key, std::string> make_api_key(api_key from);

struct api_key_parts {
    std::string_view name{};
    std::string_view secret{};
};
// Nothing: it does not look like a key.
[[nodiscard]] std::optional<api_key_parts> api_key_in(std::string_view text);
[[nodiscard]] std::string new_api_key(std::string_view name); // bk_NAME_SECRET
[[nodiscard]] secret_digest digest_of(std::string_view secret);

// All of them, by name. A value: whoever keeps it on disk adds what is there at start-up.
class api_keys {
public:
    // False: there is one with this name, or keys_max is reached.
    [[nodiscard]] bool add(api_key key);
    bool erase(std::string_view name); // false: there was none
    [[nodiscard]] std::shared_ptr<const api_key> find(std::string_view name) const;
    // Whose secret it is. Null: nobody's.
    [[nodiscard]] std::shared_ptr<const api_key> holder_of(const api_key_parts& shown) const;
    [[nodiscard]] const auto& all() const { return keys_; }
    [[nodiscard]] bool full() const { return keys_.size() >= keys_max; }

    static constexpr std::size_t keys_max = 10'000;

private:
    std::map<std::string, std::shared_ptr<const api_key>, std::less<>> keys_;
};

} // namespace broker::security
