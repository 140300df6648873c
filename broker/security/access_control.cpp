#include "security/access_control.hpp"

#include "core/base64url.hpp"
#include "core/utf8.hpp"
#include "security/token_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace broker::security {

namespace {

// Clients whose library insists on a user name with a password write one of these before a token or a key.
constexpr std::array<std::string_view, 5> names_nobody{"", "token", "jwt", "bearer", "apikey"};

// Three parts and a JSON object in front: a password nobody has by chance.
bool looks_like_token(std::string_view text) {
    if (std::ranges::count(text, '.') != 2) return false;
    const auto header = from_base64url(text.substr(0, text.find('.')));
    return header && header->starts_with('{');
}

// Where a token or a key is, if there is one.
std::string_view token_in(const credentials& c) {
    if (!c.token.empty()) return c.token;
    return c.password ? std::string_view{*c.password} : std::string_view{};
}

identity identity_of(const api_key& key, std::string_view client_id) {
    return {.user = api_key_user(key.name), .client_id = std::string{client_id}, .roles = key.gives.roles, .own = key.gives.rules};
}

bool names(std::string_view user, std::string_view token_user) {
    return std::ranges::find(names_nobody, user) != names_nobody.end() || user == token_user;
}

} // namespace

std::string_view name(method m) {
    switch (m) {
    case method::token: return "jwt";
    case method::api_key: return "apikeys";
    case method::users: return "users";
    case method::certificate: return "certificate";
    case method::http: return "http";
    case method::anonymous: return "anonymous";
    }
    return {};
}

bool access_control::recognises(method m, const credentials& c, const stored_access& stored) const {
    switch (m) {
    case method::token: return (!keys_.empty() || issuer_) && !api_key_in(token_in(c)) && (!c.token.empty() || (settings_.tokens_as_password && c.password && looks_like_token(*c.password)));
    case method::api_key: return api_key_in(token_in(c)).has_value();
    case method::users:
        return (settings_.expects_users || stored.users.find(c.user) != nullptr) && c.token.empty() && !c.user.empty() && c.password;
    case method::certificate: return !c.certificate.empty() && !c.password && c.token.empty();
    case method::http: return settings_.hook && (c.password || !c.token.empty()) && is_utf8(c.token) && is_utf8(c.password.value_or("")); // JSON has no other
    case method::anonymous: return settings_.anonymous && c.none();
    }
    return false;
}

access_decision access_control::decide(const credentials& request, const credentials& connect, std::string_view client_id, const stored_access& stored,
                               time_point now) const {
    auto brought = connect;
    if (brought.none()) brought = request;
    // A request with a token and a CONNECT that only names a user: one credential in two places.
    if (!request.none() && !connect.none()) {
        const bool again = connect.password && (*connect.password == request.token || connect == request);
        if (connect.password && !again) return denied{.why = "the request has credentials and CONNECT has others"};
        brought = request;
        if (brought.user.empty()) brought.user = connect.user;
        if (brought.user != connect.user) return denied{.why = "the request and CONNECT name different users"};
    }
    return by_methods(brought, client_id, 0, stored, now);
}

access_decision access_control::by_methods(const credentials& brought, std::string_view client_id, std::size_t first, const stored_access& stored,
                                           time_point now) const {
    for (auto i = first; i < settings_.order.size(); ++i) {
        const auto m = settings_.order[i];
        if (!recognises(m, brought, stored)) continue;
        if (m == method::http) return hook_question{.with = brought, .client_id = std::string{client_id}, .next = i + 1};
        if (m == method::token) return by_token(token_in(brought), brought.user, client_id, stored, now);
        if (m == method::api_key) return by_api_key(*api_key_in(token_in(brought)), brought.user, client_id, stored.keys, now);
        if (m == method::certificate) return by_certificate(brought, client_id);
        if (m == method::users) {
            return password_question{.user = brought.user,
                                     .account = account_of(brought.user, stored),
                                     .password = *brought.password,
                                     .client_id = std::string{client_id}};
        }
    }
    if (recognises(method::anonymous, brought, stored)) return with_rights({.who = {.client_id = std::string{client_id}}, .by = method::anonymous});
    if (brought.none()) return denied{.why = "no credentials"};
    return denied{.why = "no method recognises the credentials"};
}

// With our own keys, then with those the issuer has now.
result<token, token_error> access_control::verified(std::string_view text, time_point now) const {
    auto by_own = verify_jwt(text, keys_, settings_.tokens, now);
    using enum token_error;
    if (by_own || !issuer_ || (by_own.error() != unknown_key && by_own.error() != wrong_key_algorithm && by_own.error() != bad_signature)) return by_own;
    const auto fetched = issuer_->keys(now);
    if (!fetched) return by_own;
    auto by_fetched = verify_jwt(text, fetched->keys, settings_.tokens, now);
    // A key of ours was meant, and none of theirs.
    return !by_fetched && by_fetched.error() == unknown_key ? by_own : by_fetched;
}

bool access_control::await_keys(time_point now, std::function<void()> then) const { return issuer_ && issuer_->await_unknown(now, std::move(then)); }

access_decision access_control::by_token(std::string_view text, std::string_view user, std::string_view client_id, const stored_access& stored,
                                 time_point now) const {
    const auto no = [](std::string why, bool expired = false) { return denied{.by = method::token, .why = std::move(why), .expired = expired}; };
    const auto read = verified(text, now);
    if (!read) {
        auto why = no(fmt::format("token: {}", security::text(read.error())), read.error() == token_error::expired);
        why.unknown_key = read.error() == token_error::unknown_key;
        why.unavailable = why.unknown_key && issuer_ && !issuer_->keys(now);
        if (why.unavailable) why.why += ", and the issuer's are not to be had";
        return why;
    }
    const auto& t = *read;
    if (!is_utf8(t.user) || t.user.contains('\0')) return no("token: its user is no text");
    if (!names(user, t.user)) return no(fmt::format("the token of '{}' with the name of another user", t.user));
    if (stored.revoked.revoked(t)) return no(fmt::format("token of '{}': revoked", t.user));
    const auto given = rights_in(t.claims, settings_.scope_prefix);
    if (!given) return no(fmt::format("token of '{}': {}", t.user, given.error()));
    auto values = values_of(t.claims);
    if (!values) return no(fmt::format("token of '{}': {}", t.user, values.error()));
    return with_rights({.who = {.user = t.user, .client_id = std::string{client_id}, .roles = given->roles, .claims = std::move(*values), .own = given->rules},
                        .by = method::token,
                        .expires = t.expires,
                        .token_id = t.id,
                        .issued = t.issued});
}

access_decision access_control::by_api_key(const api_key_parts& shown, std::string_view user, std::string_view client_id, const api_keys& keys,
                                           time_point now) const {
    const auto no = [&](std::string_view why, bool expired = false) {
        return denied{.by = method::api_key, .why = fmt::format("API key '{}': {}", shown.name, why), .expired = expired};
    };
    auto key = keys.holder_of(shown);
    if (!key) return no("unknown, or another secret");
    if (user != key->name && !names(user, api_key_user(key->name))) return no("with the name of another user");
    if (key->expires <= now) return no("expired", true);
    return with_rights({.who = identity_of(*key, client_id),
                        .by = method::api_key,
                        .expires = key->expires,
                        .key = std::move(key)});
}

access_decision access_control::by_certificate(const credentials& c, std::string_view client_id) const {
    const auto no = [](std::string why) { return denied{.by = method::certificate, .why = std::move(why)}; };
    if (!is_utf8(c.certificate) || c.certificate.contains('\0')) return no("the certificate's name is no text");
    if (!names(c.user, c.certificate)) return no(fmt::format("the certificate of '{}' with the name of another user", c.certificate));
    return with_rights({.who = {.user = c.certificate, .client_id = std::string{client_id}}, .by = method::certificate});
}

std::shared_ptr<const rights> access_control::rights_of_key(std::string_view text, const stored_access& stored, time_point now) const {
    const auto shown = api_key_in(text);
    if (!shown || std::ranges::find(settings_.order, method::api_key) == settings_.order.end()) return nullptr;
    const auto key = stored.keys.holder_of(*shown);
    if (!key || key->expires <= now) return nullptr;
    auto may = rules_->rights_of(identity_of(*key, ""));
    return may ? *may : nullptr;
}

result<std::shared_ptr<const rights>, std::string> access_control::rights_of(identity who, const stored_access& stored) const {
    if (who.user.starts_with(api_key_user_prefix)) {
        const auto key = stored.keys.find(std::string_view{who.user}.substr(api_key_user_prefix.size()));
        if (!key) return fail(fmt::format("there is no API key for the user '{}'", who.user));
        who.roles.insert(who.roles.end(), key->gives.roles.begin(), key->gives.roles.end());
        who.own.insert(who.own.end(), key->gives.rules.begin(), key->gives.rules.end());
    }
    return rules_->rights_of(who);
}

access_decision access_control::with_rights(admitted who) const {
    if (who.by != method::api_key && who.who.user.starts_with(api_key_user_prefix)) {
        return denied{.by = who.by, .why = fmt::format("user '{}': such names are those of API keys", who.who.user)};
    }
    auto may = rules_->rights_of(who.who);
    if (!may) return denied{.by = who.by, .why = std::move(may.error()), .proved = true};
    const auto connecting = (*may)->verdict_on(action::connect, who.who.client_id);
    if (!connecting.allowed) {
        return denied{.by = who.by, .why = fmt::format("client id '{}': {}", who.who.client_id, connecting.by == nullptr ? "no rule allows it" : text(*connecting.by)), .proved = true};
    }
    who.may = std::move(*may);
    return who;
}

std::shared_ptr<const user> access_control::account_of(std::string_view user, const stored_access& stored) const {
    auto of_file = users_->find(user);
    return of_file ? of_file : stored.users.find(user);
}

access_decision access_control::answer(const hook_question& question, const hook_answer& said, const stored_access& stored, time_point now) const {
    switch (said.what) {
    case hook_answer::verdict::ignore: return by_methods(question.with, question.client_id, question.next, stored, now);
    case hook_answer::verdict::deny: return denied{.by = method::http, .why = fmt::format("user '{}': the hook denies it", question.with.user)};
    case hook_answer::verdict::allow: break;
    }
    const auto& user = said.user.empty() ? question.with.user : said.user;
    if (user.empty()) return denied{.by = method::http, .why = "the hook lets in somebody without a name: neither its answer nor the client says a user"};
    if (said.expires <= now) return denied{.by = method::http, .why = fmt::format("user '{}': the hook lets in until a time that has passed", user), .expired = true};
    return with_rights({.who = {.user = user, .client_id = question.client_id, .roles = said.rights.roles, .own = said.rights.rules},
                        .by = method::http,
                        .expires = said.expires});
}

access_decision access_control::answer(const password_question& question) const {
    const auto checked = users_->check(question.account.get(), question.password);
    if (!checked.accepted) return denied{.by = method::users, .why = fmt::format("user '{}': unknown, disabled or another password", question.user)};
    return with_rights({.who = {.user = question.user, .client_id = question.client_id}, .by = method::users, .account = question.account, .rehash = checked.rehash});
}

access_decision access_control::renew(const admitted& before, std::string_view token, const stored_access& stored, time_point now) const {
    const auto key = api_key_in(token);
    if (!key && keys_.empty() && !issuer_) return denied{.why = "tokens are not taken"};
    auto decided = key ? by_api_key(*key, "", before.who.client_id, stored.keys, now) : by_token(token, "", before.who.client_id, stored, now);
    const auto* const after = std::get_if<admitted>(&decided);
    if (after != nullptr && after->who.user != before.who.user) {
        return denied{.by = method::token, .why = fmt::format("a token of '{}' on a connection of '{}'", after->who.user, before.who.user)};
    }
    return decided;
}

access_decision access_control::under_new_rules(const admitted& before, const stored_access& stored) const {
    if (before.by == method::token && stored.revoked.revoked(before.who.user, before.token_id, before.issued)) {
        return denied{.by = method::token, .why = fmt::format("token of '{}': revoked", before.who.user)};
    }
    if (before.by == method::api_key && stored.keys.find(before.key->name) != before.key) {
        return denied{.by = method::api_key, .why = fmt::format("API key '{}': deleted", before.key->name)};
    }
    if (before.by == method::users) {
        const auto account = account_of(before.who.user, stored);
        const bool same = account && !account->disabled && account->hash.text() == before.account->hash.text();
        if (!same) return denied{.by = method::users, .why = fmt::format("user '{}': deleted, disabled, or has another password", before.who.user)};
    }
    if (before.by == method::certificate && std::ranges::find(settings_.order, method::certificate) == settings_.order.end()) {
        return denied{.by = method::certificate, .why = fmt::format("certificate of '{}': certificates are not taken any more", before.who.user)};
    }
    if (before.by == method::http && !settings_.hook) return denied{.by = method::http, .why = "the hook is not asked any more"};
    if (before.by == method::anonymous && !settings_.anonymous) return denied{.by = method::anonymous, .why = "anonymous clients are not let in any more"};
    return with_rights(before);
}

} // namespace broker::security
