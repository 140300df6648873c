// access_control: who is let in: credentials against the configured methods, in their order; the first that recognises a
// credential decides.
//
//   token      recognised in a bearer source, and as a password that looks like one (three parts, a JSON header)
//   api_key    recognised by its form, in a bearer source and as a password
//   users      a login with a password, of the file, else of the store: argon2id, so the answer is a question for a worker_pool
//   certificate  nothing but a verified certificate of TLS, and at most its own name as a login
//   http       everything with a password or a token: a web server is asked, and may leave it to the methods behind it
//   anonymous  nothing at all, if it is written out
//
// One snapshot per process, immutable but for the keys an issuer has at the moment; a reload makes a new one. Threading: any.
#pragma once

#include "security/credentials.hpp"
#include "security/hook_answer.hpp"
#include "security/issuer_keys.hpp"
#include "security/jwt.hpp"
#include "security/rights.hpp"
#include "security/stored_access.hpp"

#include <variant>

namespace broker::security {

enum class method : std::uint8_t { token, api_key, users, certificate, http, anonymous };
inline constexpr std::size_t methods = 6;
[[nodiscard]] std::string_view name(method m);

struct access_settings {
    std::vector<method> order{method::token, method::api_key, method::users};
    bool anonymous = false; // clients that bring nothing
    jwt_settings tokens{};
    std::string scope_prefix = "brokerd:";
    bool tokens_as_password = true;
    bool hook = false; // a web server is asked
    bool expects_users = true; // logins of unknown users too are recognised; else the methods behind have them
};

struct admitted {
    identity who{}; // for new rights when the rules change
    std::shared_ptr<const rights> may{};
    method by = method::anonymous;
    time_point expires = never; // without grace
    std::string token_id{};     // jti; may be empty
    std::optional<time_point> issued{};
    std::shared_ptr<const api_key> key{}; // api_key: the one it came with
    std::shared_ptr<const user> account{}; // users: as he was then
    bool rehash = false; // users: its hash should be replaced by one of today's cost
};

// Why not: `why` is for the log and never for the peer, who hears that it is not authenticated. Neither names a secret.
struct denied {
    std::optional<method> by{}; // nothing: no method recognised it
    std::string why{};
    bool expired = false; // a token that was good: the peer may be told (`token_expired`)
    bool unknown_key = false; // of a token: await_keys() may bring it
    bool unavailable = false; // nobody can tell at the moment: the peer may come again
    bool proved = false;  // who it is; what is missing are rights
};

// To be asked where it may take its time.
struct password_question {
    std::string user{};
    std::shared_ptr<const security::user> account{}; // null: nobody knows him
    std::string password{};
    std::string client_id{};
};

// To be asked of a web server.
struct hook_question {
    credentials with{};
    std::string client_id{};
    std::size_t next = 0; // of the order: what is tried if the server does not know
};

using access_decision = std::variant<admitted, denied, password_question, hook_question>;

class access_control {
public:
    // `users` and `rules` not null. Neither keys nor an issuer: tokens are not recognised.
    access_control(access_settings settings, std::vector<key> keys, std::shared_ptr<const user_table> users, std::shared_ptr<const rule_book> rules,
                   std::shared_ptr<issuer_keys> issuer = nullptr)
        : settings_{std::move(settings)}, keys_{std::move(keys)}, issuer_{std::move(issuer)}, users_{std::move(users)}, rules_{std::move(rules)} {}

    // What a peer brought with its request and with CONNECT, which is as good as nothing where it is empty. `client_id` as granted.
    [[nodiscard]] access_decision decide(const credentials& request, const credentials& connect, std::string_view client_id,
                                         const stored_access& stored, time_point now) const;

    // After denied::unknown_key. True: keys are being fetched, and `then` is called after it, on another thread: decide() anew. False: there
    // will be none soon, and it is denied.
    [[nodiscard]] bool await_keys(time_point now, std::function<void()> then) const;

    // Takes milliseconds.
    [[nodiscard]] access_decision answer(const password_question& question) const;

    // What the web server said.
    [[nodiscard]] access_decision answer(const hook_question& question, const hook_answer& said, const stored_access& stored, time_point now) const;

    // What an API key may where there is no client: over HTTP. Null: it is not good.
    [[nodiscard]] std::shared_ptr<const rights> rights_of_key(std::string_view text, const stored_access& stored, time_point now) const;

    // What somebody may with the roles and claims he has, those the configuration gives him, and, as the user of an API key, what it brings. Error: one
    // line: there is no such key, or what rule_book::rights_of() says.
    [[nodiscard]] result<std::shared_ptr<const rights>, std::string> rights_of(identity who, const stored_access& stored) const;

    // Who decides before the store does.
    [[nodiscard]] const user_table& file_users() const { return *users_; }

    // A new token or key for a connection that is open, or the rules have changed: the same user, or it is denied.
    [[nodiscard]] access_decision renew(const admitted& before, std::string_view token, const stored_access& stored, time_point now) const;
    [[nodiscard]] access_decision under_new_rules(const admitted& before, const stored_access& stored) const;

private:
    // Those of the order from `first`.
    [[nodiscard]] access_decision by_methods(const credentials& brought, std::string_view client_id, std::size_t first, const stored_access& stored,
                                             time_point now) const;
    [[nodiscard]] access_decision by_token(std::string_view token, std::string_view user, std::string_view client_id, const stored_access& stored,
                                           time_point now) const;
    [[nodiscard]] result<token, token_error> verified(std::string_view token, time_point now) const;
    [[nodiscard]] access_decision by_certificate(const credentials& c, std::string_view client_id) const;
    [[nodiscard]] access_decision by_api_key(const api_key_parts& shown, std::string_view user, std::string_view client_id, const api_keys& keys,
                                             time_point now) const;
    [[nodiscard]] access_decision with_rights(admitted who) const;
    [[nodiscard]] bool recognises(method m, const credentials& c, const stored_access& stored) const;
    [[nodiscard]] std::shared_ptr<const user> account_of(std::string_view user, const stored_access& stored) const;

    access_settings settings_;
    std::vector<key> keys_;
    std::shared_ptr<issuer_keys> issuer_; // null: no keys from elsewhere
    std::shared_ptr<const user_table> users_;
    std::shared_ptr<const rule_book> rules_;
};

} // namespace broker::security
