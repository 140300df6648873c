#include "security/revocations.hpp"

namespace broker::security {

bool revocations::revoke_id(std::string_view jti, time_point until) {
    const auto known = ids_.find(jti);
    if (known != ids_.end()) {
        known->second = std::max(known->second, until);
        return true;
    }
    if (ids_.size() >= ids_max) return false;
    ids_.emplace(jti, until);
    return true;
}

void revocations::revoke_user(std::string_view user, time_point at) {
    auto& before = users_.try_emplace(std::string{user}, at).first->second;
    before = std::max(before, at);
}

bool revocations::revoked(std::string_view user, std::string_view jti, std::optional<time_point> issued) const {
    if (!jti.empty() && ids_.contains(jti)) return true;
    const auto of_user = users_.find(user);
    const auto before = std::max(before_, of_user == users_.end() ? time_point::min() : of_user->second);
    return before != time_point::min() && (!issued || *issued < before);
}

std::vector<revocations::entry> revocations::list(const std::optional<entry>& after, std::size_t count_max, time_point now) const {
    std::vector<entry> found;
    if (!after && before_ != time_point::min() && count_max != 0) found.push_back({.what = kind::everybody, .at = before_});
    const auto take = [&](kind what, const auto& from) {
        if (after && after->what > what) return;
        auto at = after && after->what == what ? from.upper_bound(after->name) : from.begin();
        for (; at != from.end() && found.size() < count_max; ++at) {
            if (what == kind::token && at->second < now) continue;
            found.push_back({.what = what, .name = at->first, .at = at->second});
        }
    };
    take(kind::user, users_);
    take(kind::token, ids_);
    return found;
}

void revocations::forget_expired(time_point now) {
    std::erase_if(ids_, [now](const auto& one) { return one.second < now; });
}

} // namespace broker::security
