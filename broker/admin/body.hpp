// A request's JSON body: an object whose members have types. What is wrong is thrown as one line that names the member.
#pragma once

#include "admin/registry.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace broker::admin {

// A member that has another type than it should.
struct wrong_type {
    std::string_view key;
    std::string_view wanted;
};

// A member's value, or `otherwise` when it is not there.
inline std::string text_at(const boost::json::object& o, std::string_view key) {
    const auto* const v = o.if_contains(key);
    if (v == nullptr) return {};
    if (!v->is_string()) throw wrong_type{key, "a string"};
    return std::string{v->as_string()};
}

inline std::int64_t integer_at(const boost::json::object& o, std::string_view key, std::int64_t otherwise) {
    const auto* const v = o.if_contains(key);
    if (v == nullptr) return otherwise;
    if (!v->is_int64()) throw wrong_type{key, "an integer"};
    return v->as_int64();
}

inline bool flag_at(const boost::json::object& o, std::string_view key, bool otherwise = false) {
    const auto* const v = o.if_contains(key);
    if (v == nullptr) return otherwise;
    if (!v->is_bool()) throw wrong_type{key, "true or false"};
    return v->as_bool();
}

inline std::vector<std::string> texts_at(const boost::json::object& o, std::string_view key) {
    std::vector<std::string> texts;
    const auto* const v = o.if_contains(key);
    if (v == nullptr) return texts;
    if (!v->is_array()) throw wrong_type{key, "a list of strings"};
    for (const auto& one : v->as_array()) {
        if (!one.is_string()) throw wrong_type{key, "a list of strings"};
        texts.emplace_back(one.as_string());
    }
    return texts;
}

// Runs `then` with the body; an unknown member or one of a wrong type is a 400 that names it.
template <class Then>
response with_body(const request& r, std::span<const std::string_view> known, Then then) {
    boost::system::error_code ec;
    const auto parsed = boost::json::parse(r.body, ec);
    if (ec || !parsed.is_object()) return problem(400, "invalid", "the body is not a JSON object");
    const auto& o = parsed.as_object();
    for (const auto& [key, value] : o) {
        if (std::ranges::find(known, std::string_view{key}) == known.end()) {
            return problem(400, "invalid", fmt::format("{} is not known; known are {}", std::string_view{key}, fmt::join(known, ", ")));
        }
    }
    try {
        return then(o);
    } catch (const wrong_type& wrong) {
        return problem(400, "invalid", fmt::format("{} must be {}", wrong.key, wrong.wanted));
    }
}

} // namespace broker::admin
