#include "protocols/permissions.hpp"

#include "core/topic.hpp"

namespace broker {

void permissions::grant(std::shared_ptr<const security::rights> may, admission* told, bool refuse_part) {
    told_ = told;
    refuse_part_ = refuse_part;
    if (!may) {
        cache_.reset();
    } else if (cache_) {
        cache_->replace(std::move(may));
    } else {
        cache_ = std::make_unique<security::verdict_cache>(std::move(may));
    }
}

bool permissions::allows(security::action what, std::string_view topic) {
    const auto given = cache_->verdict_on(what, topic);
    // A temporary queue's name is given to who is to answer: only a rule against it counts.
    if (given.allowed || (given.by == nullptr && is_temporary(topic))) return true;
    if (told_ != nullptr) told_->on_denied(what, topic, given.by);
    return false;
}

bool permissions::publish(std::string_view topic, bool retain) {
    if (!cache_) return true;
    const auto what = security::rights::publishing_to(topic);
    if (!allows(what, topic)) return false;
    return !retain || what != security::action::publish || allows(security::action::retain, topic);
}

security::coverage permissions::subscribe(std::string_view filter) {
    if (!cache_) return security::coverage::all;
    auto given = cache_->all().verdict_on_subscription(filter);
    if (given.what == security::coverage::part && filter.starts_with("$share/")) given.what = security::coverage::none;
    if (given.what == security::coverage::none && told_ != nullptr) {
        told_->on_denied(security::rights::subscribing_to(filter), filter, given.by);
    }
    if (given.what == security::coverage::part && refuse_part_) return security::coverage::none;
    return given.what;
}

} // namespace broker
