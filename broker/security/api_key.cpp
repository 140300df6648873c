#include "security/api_key.hpp"

#include "core/base64url.hpp"

#include <fmt/format.h>
#include <openssl/sha.h>
#include <sodium.h>

#include <algorithm>

namespace broker::security {

namespace {

constexpr std::string_view beginning = "bk_";
constexpr std::size_t secret_bytes = 32;
constexpr std::size_t secret_characters = 43;

bool is_plain(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; }

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= api_key_name_max && std::ranges::all_of(text, [](char c) { return is_plain(c) || c == '.'; });
}

} // namespace

std::string api_key_user(std::string_view name) { return std::string{api_key_user_prefix}.append(name); }

result<api_key, std::string> make_api_key(api_key from) {
    if (!is_name(from.name)) return fail(fmt::format("a key's name is 1 to {} letters, digits, '.', '_' and '-'", api_key_name_max));
    if (from.scopes.size() > api_key_scopes_max) return fail(fmt::format("a key has at most {} scopes", api_key_scopes_max));
    from.gives = {};
    for (const auto& scope : from.scopes) {
        const std::string_view full = scope == "manage" ? "manage:#" : std::string_view{scope};
        if (auto wrong = add_scope(from.gives, full, "", fmt::format("api key {}", from.name))) return fail(std::move(*wrong));
    }
    return from;
}

std::optional<api_key_parts> api_key_in(std::string_view text) {
    if (!text.starts_with(beginning) || text.size() < beginning.size() + secret_characters + 2) return std::nullopt;
    const auto secret = text.substr(text.size() - secret_characters);
    const auto name = text.substr(beginning.size(), text.size() - beginning.size() - secret_characters - 1);
    if (text[beginning.size() + name.size()] != '_' || !is_name(name) || !std::ranges::all_of(secret, is_plain)) return std::nullopt;
    return api_key_parts{.name = name, .secret = secret};
}

std::string new_api_key(std::string_view name) {
    std::string random(secret_bytes, '\0');
    randombytes_buf(random.data(), random.size());
    return fmt::format("{}{}_{}", beginning, name, base64url(random));
}

secret_digest digest_of(std::string_view secret) {
    secret_digest made{};
    SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), made.data());
    return made;
}

bool api_keys::add(api_key key) {
    if (full()) return false;
    auto name = key.name;
    return keys_.try_emplace(std::move(name), std::make_shared<const api_key>(std::move(key))).second;
}

bool api_keys::erase(std::string_view name) {
    const auto found = keys_.find(name);
    if (found == keys_.end()) return false;
    keys_.erase(found);
    return true;
}

std::shared_ptr<const api_key> api_keys::find(std::string_view name) const {
    const auto found = keys_.find(name);
    return found == keys_.end() ? nullptr : found->second;
}

std::shared_ptr<const api_key> api_keys::holder_of(const api_key_parts& shown) const {
    const auto digest = digest_of(shown.secret);
    auto key = find(shown.name);
    if (!key || sodium_memcmp(digest.data(), key->digest.data(), digest.size()) != 0) return nullptr;
    return key;
}

} // namespace broker::security
