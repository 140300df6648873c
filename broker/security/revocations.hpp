// revocations: tokens that are not good any more though they have not expired. A value: whoever keeps it on disk adds what
// is there at start-up.
#pragma once

#include "security/jwt.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace broker::security {

class revocations {
public:
    // One token, by its jti. It may be forgotten once the token would have expired: `until`, or never if nobody knows.
    // False: limit reached.
    [[nodiscard]] bool revoke_id(std::string_view jti, time_point until);
    // All tokens of a user, or of everybody, issued before `at`.
    void revoke_user(std::string_view user, time_point at);
    void revoke_all(time_point at) { before_ = std::max(before_, at); }

    // A token that does not say when it was issued may be any of them.
    [[nodiscard]] bool revoked(std::string_view user, std::string_view jti, std::optional<time_point> issued) const;
    [[nodiscard]] bool revoked(const token& t) const { return revoked(t.user, t.id, t.issued); }

    // As they are listed: everybody's, then users, then ids, each by name.
    enum class kind : std::uint8_t { everybody, user, token };
    struct entry {
        kind what{};
        std::string name{};
        time_point at{}; // tokens issued before it are not good; of an id: until then, or never
    };
    // At most `count_max` of those behind `after`, which need not be there. Ids that would have been forgotten by now are left out.
    [[nodiscard]] std::vector<entry> list(const std::optional<entry>& after, std::size_t count_max, time_point now) const;

    void forget_expired(time_point now);
    [[nodiscard]] std::size_t size() const { return ids_.size() + users_.size() + (before_ == time_point::min() ? 0 : 1); }

    static constexpr std::size_t ids_max = 1'000'000;

private:
    std::map<std::string, time_point, std::less<>> ids_;
    std::map<std::string, time_point, std::less<>> users_;
    time_point before_ = time_point::min();
};

} // namespace broker::security
