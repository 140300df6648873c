// users: who may come in with which password: those of a file, fixed until it is read anew, and those the store keeps.
#pragma once

#include "core/time.hpp"
#include "security/password.hpp"

#include <map>
#include <memory>
#include <vector>

namespace broker::security {

struct user {
    std::string name{};
    password_hash hash;
    bool disabled = false;
    time_point set_at{}; // its password; the epoch: nobody knows
};

// Text without a colon and control characters that does not begin with '#', at most 1,024 bytes.
[[nodiscard]] bool is_user_name(std::string_view text);

// Mosquitto's password file: "NAME:HASH" a line, '#' in front of comments. A '!' in front of the hash: disabled. Error: "FILE:LINE: what, what to do".
[[nodiscard]] result<std::vector<user>, std::string> import_mosquitto_passwords(std::string_view text, std::string_view file);

using users_by_name = std::map<std::string, std::shared_ptr<const user>, std::less<>>;

// Those of the file. Threading: immutable. check() takes milliseconds.
class user_table {
public:
    // Error: no memory; a name twice or empty.
    [[nodiscard]] static result<user_table, std::string> make(std::vector<user> users, const hash_cost& cost);

    struct outcome {
        bool accepted = false;
        bool rehash = false; // accepted, and its hash should be replaced by one of today's cost
    };
    // Of whoever keeps him; null: nobody knows him. Takes as long for one who is unknown, disabled or has a cheap hash as for everybody else.
    [[nodiscard]] outcome check(const user* who, std::string_view password) const;

    [[nodiscard]] std::shared_ptr<const user> find(std::string_view name) const; // null: unknown
    [[nodiscard]] const users_by_name& all() const { return users_; }

private:
    user_table(password_hash decoy, const hash_cost& cost) : decoy_{std::move(decoy)}, cost_{cost} {}

    users_by_name users_;
    password_hash decoy_;
    hash_cost cost_;
};

// Those the store keeps. A value: whoever keeps it on disk adds what is there at start-up.
class stored_users {
public:
    void put(user one); // instead of one with this name, if there is one
    bool erase(std::string_view name); // false: there was none
    [[nodiscard]] std::shared_ptr<const user> find(std::string_view name) const; // null: unknown
    [[nodiscard]] const users_by_name& all() const { return users_; }

    static constexpr std::size_t users_max = 100'000; // for who adds to see to

private:
    users_by_name users_;
};

} // namespace broker::security
