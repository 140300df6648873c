// users: who may come in with which password.
#pragma once

#include "security/password.hpp"

#include <map>
#include <optional>
#include <vector>

namespace broker::security {

struct user {
    std::string name{};
    password_hash hash;
    bool disabled = false;
};

// Mosquitto's password file: "NAME:HASH" a line, '#' in front of comments. A '!' in front of the hash: disabled. Error: "FILE:LINE: what, what to do".
[[nodiscard]] result<std::vector<user>, std::string> import_mosquitto_passwords(std::string_view text, std::string_view file);

// Threading: immutable. check() takes milliseconds.
class user_table {
public:
    // Error: no memory; a name twice or empty.
    [[nodiscard]] static result<user_table, std::string> make(std::vector<user> users, const hash_cost& cost);

    struct outcome {
        bool accepted = false;
        bool rehash = false; // accepted, and its hash should be replaced by one of today's cost
    };
    // Takes as long for a user who is unknown, disabled or has a cheap hash as for everybody else.
    [[nodiscard]] outcome check(std::string_view name, std::string_view password) const;

    [[nodiscard]] bool admits(std::string_view name) const; // known and not disabled
    [[nodiscard]] std::size_t size() const { return users_.size(); }

private:
    user_table(password_hash decoy, const hash_cost& cost) : decoy_{std::move(decoy)}, cost_{cost} {}

    std::map<std::string, user, std::less<>> users_;
    password_hash decoy_;
    hash_cost cost_;
};

} // namespace broker::security
