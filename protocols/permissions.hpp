// permissions: what a connection's client may do, asked where it does it. Everything, until rights are granted.
#pragma once

#include "protocols/admission.hpp"
#include "security/verdict_cache.hpp"

namespace broker {

class permissions {
public:
    // `told` hears of what is denied; null: nobody. `may` null: everything. `refuse_part`: a subscription that is allowed in part is not
    // allowed.
    void grant(std::shared_ptr<const security::rights> may, admission* told, bool refuse_part);

    [[nodiscard]] bool publish(std::string_view topic, bool retain);

    // `filter` as text. Of a shared subscription part is none: a member that may not read what it was chosen for would lose
    // it for the group.
    [[nodiscard]] security::coverage subscribe(std::string_view filter);

    // A message of a subscription that is allowed in part. Not told.
    [[nodiscard]] bool receive(std::string_view topic) {
        return !cache_ || cache_->verdict_on(security::action::subscribe, topic).allowed;
    }

private:
    [[nodiscard]] bool allows(security::action what, std::string_view topic);

    std::unique_ptr<security::verdict_cache> cache_; // null: everything
    admission* told_ = nullptr;
    bool refuse_part_ = false;
};

} // namespace broker
