#include "security/users.hpp"

#include "core/utf8.hpp"
#include "security/text_lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace broker::security {

bool is_user_name(std::string_view text) {
    const auto barred = [](char c) { return c == ':' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
    return !text.empty() && text.size() <= 1'024 && !text.starts_with('#') && is_utf8(text) && std::ranges::none_of(text, barred);
}

result<std::vector<user>, std::string> import_mosquitto_passwords(std::string_view text, std::string_view file) {
    std::vector<user> made;
    std::set<std::string, std::less<>> names;
    for (text_lines lines{text}; lines.next();) {
        const auto line = trimmed(lines.line());
        if (line.empty() || line.starts_with('#')) continue;
        const auto wrong = [&](std::string_view what) { return fail(fmt::format("{}:{}: {}", file, lines.number(), what)); };
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) return wrong("no ':' between name and hash");
        const auto name = trimmed(line.substr(0, colon));
        if (name.empty() || !is_utf8(name) || name.contains('\0')) return wrong("the name is empty or not UTF-8 text");
        // Never the line itself: it may be a password.
        auto text_of_hash = trimmed(line.substr(colon + 1));
        const bool disabled = text_of_hash.starts_with('!');
        if (disabled) text_of_hash.remove_prefix(1);
        auto hash = password_hash::parse(text_of_hash);
        if (!hash) return wrong(fmt::format("the hash of '{}' is {}; plain passwords become hashes with mosquitto_passwd -U", name, hash.error()));
        if (!names.emplace(name).second) return wrong(fmt::format("'{}' is there twice", name));
        made.push_back({.name = std::string{name}, .hash = std::move(*hash), .disabled = disabled});
    }
    return made;
}

result<user_table, std::string> user_table::make(std::vector<user> users, const hash_cost& cost) {
    auto decoy = password_hash::of("", cost);
    if (!decoy) return fail(decoy.error());
    user_table made{std::move(*decoy), cost};
    for (auto& u : users) {
        if (u.name.empty()) return fail(std::string{"a user without a name"});
        const auto name = u.name;
        if (!made.users_.emplace(name, std::make_shared<const user>(std::move(u))).second) return fail(fmt::format("user '{}' is there twice", name));
    }
    return made;
}

user_table::outcome user_table::check(const user* who, std::string_view password) const {
    if (who == nullptr || who->disabled) {
        (void)decoy_.matches(password);
        return {};
    }
    const bool matches = who->hash.matches(password);
    const bool weak = who->hash.weaker_than(cost_);
    if (weak) (void)decoy_.matches(password); // it answers too quickly
    return {.accepted = matches, .rehash = matches && weak};
}

std::shared_ptr<const user> user_table::find(std::string_view name) const {
    const auto found = users_.find(name);
    return found == users_.end() ? nullptr : found->second;
}

void stored_users::put(user one) {
    auto name = one.name;
    users_.insert_or_assign(std::move(name), std::make_shared<const user>(std::move(one)));
}

bool stored_users::erase(std::string_view name) {
    const auto found = users_.find(name);
    if (found == users_.end()) return false;
    users_.erase(found);
    return true;
}

std::shared_ptr<const user> stored_users::find(std::string_view name) const {
    const auto found = users_.find(name);
    return found == users_.end() ? nullptr : found->second;
}

} // namespace broker::security
