// An acl_file, arbitrary: refused with its line, or a policy whose verdicts are those of its rules, one by one.
#include "core/assert.hpp"
#include "core/bytes.hpp"
#include "core/topic.hpp"
#include "security/mosquitto_acl.hpp"
#include "security/rights.hpp"

#include <algorithm>

using namespace broker;
using namespace broker::security;

namespace {

// Do the rules of these roles allow it? The definition, slow and obvious.
bool allowed(const policy& p, const identity& who, action a, std::string_view topic) {
    const auto mine = [&](const role& r) { return r.name == "mosquitto:everybody" || r.name == (who.user.empty() ? "mosquitto:anonymous" : "mosquitto:user:" + who.user); };
    const claim_values none;
    bool granted = false;
    for (const auto& r : p.roles) {
        if (!mine(r)) continue;
        for (const auto& one : r.rules) {
            const auto filters = expand(one.filter, {.user = who.user, .client_id = who.client_id, .claims = none}, one.what == effect::allow, 100);
            const bool speaks = one.to.has(a) && std::ranges::any_of(*filters, [&](const auto& f) { return !f.starts_with(share_prefix) && matches(f, topic); });
            if (speaks && one.what == effect::deny) return false;
            granted |= speaks;
        }
    }
    return granted;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto made = import_mosquitto_acl(as_text({data, std::min<std::size_t>(size, 4'096)}), "acl");
    if (!made) {
        BROKER_ASSERT(made.error().starts_with("acl:"));
        return 0;
    }
    const auto book = rule_book::make(*made);
    BROKER_ASSERT(book);
    for (const std::string_view user : {"", "a", "b/c"}) {
        const identity who{.user = std::string{user}, .client_id = "c"};
        const auto r = (*book)->rights_of(who);
        BROKER_ASSERT(r);
        for (const auto a : {action::publish, action::subscribe, action::retain, action::queue_read}) {
            for (const std::string_view topic : {"a", "a/b", "/", "a/b/c/d", "$SYS/a", "$queue/a", "c", "b/c/a"}) {
                BROKER_ASSERT((*r)->verdict_on(a, topic).allowed == allowed(*made, who, a, topic));
            }
        }
        for (const std::string_view filter : {"#", "a/#", "+/b", "$SYS/#"}) {
            const auto v = (*r)->verdict_on_subscription(filter).what;
            for (const std::string_view topic : {"a", "a/b", "/", "a/b/c/d", "$SYS/a", "c"}) {
                if (!matches(filter, topic)) continue;
                const bool may = (*r)->verdict_on(action::subscribe, topic).allowed;
                BROKER_ASSERT(v == coverage::part || may == (v == coverage::all));
            }
        }
    }
    return 0;
}
