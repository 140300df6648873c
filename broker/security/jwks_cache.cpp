#include "security/jwks_cache.hpp"

#include <algorithm>

namespace broker::security {

namespace {
constexpr seconds first_retry{5};
}

result<void, std::string> jwks_cache::on_fetched(std::string_view body, time_point now) {
    auto set = parse_jwks(body, false); // whoever can fetch it could sign with a secret in it
    if (!set) {
        on_failed(now);
        return fail(std::move(set.error()));
    }
    keys_ = std::make_shared<const key_set>(std::move(*set));
    fetched_at_ = now;
    fetching_ = false;
    retry_ = seconds{0};
    next_ = now + settings_.refresh;
    unknown_allowed_at_ = now + settings_.unknown_every;
    return {};
}

void jwks_cache::on_failed(time_point now) {
    fetching_ = false;
    retry_ = retry_ == seconds{0} ? first_retry : std::min(retry_ * 2, settings_.retry_max);
    next_ = now + retry_;
}

void jwks_cache::on_unknown_key(time_point now) {
    if (retry_ != seconds{0}) return; // a fetch is due anyway, and the issuer has trouble enough
    next_ = std::min(next_, std::max(now, unknown_allowed_at_));
}

std::shared_ptr<const key_set> jwks_cache::keys(time_point now) const {
    return keys_ && now - fetched_at_ <= settings_.keep ? keys_ : nullptr;
}

} // namespace broker::security
