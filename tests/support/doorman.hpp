// doorman: lets in whoever comes, as the user and with the rules it was told.
#pragma once

#include "core/assert.hpp"
#include "protocols/admission.hpp"

#include <string>
#include <utility>
#include <vector>

namespace broker::test {

class doorman final : public admission {
public:
    explicit doorman(std::string user, std::vector<std::string> rules = {}) : user_{std::move(user)}, rules_{std::move(rules)} {}

    std::optional<answer> ask(const newcomer& who, answered later) override {
        asked = std::string{who.client_id} + " " + std::string{who.user} + (who.password ? " " + std::string{*who.password} : "") +
                (who.token.empty() ? "" : " token " + std::string{who.token});
        client_id_ = who.client_id;
        if (slow) {
            later_ = std::move(later);
            return std::nullopt;
        }
        if (refusal) return *refusal;
        return entry();
    }
    answer renew(std::string_view token) override {
        asked = token;
        if (refusal) return *refusal;
        return entry();
    }
    void on_denied(security::action what, std::string_view topic, const security::rule* by) override {
        denied.push_back(std::string{security::name(what)} + " " + std::string{topic} + (by == nullptr ? "" : " by " + security::text(*by)));
    }

    // The answer that was put off.
    void speak(time_point now) { std::exchange(later_, nullptr)(refusal ? answer{*refusal} : answer{entry()}, now); }

    [[nodiscard]] welcome entry() const {
        welcome w{.user = user_, .until = until};
        if (rules_.empty()) return w;
        security::policy p{.roles = {{.name = "all"}}, .everybody = {"all"}};
        for (const auto& line : rules_) {
            const auto r = security::parse_rule(line, "test");
            BROKER_ASSERT(r.has_value());
            p.roles[0].rules.push_back(*r);
        }
        const auto book = security::rule_book::make(p);
        BROKER_ASSERT(book.has_value());
        w.may = *(*book)->rights_of({.user = user_, .client_id = client_id_});
        return w;
    }
    void rules(std::vector<std::string> now) { rules_ = std::move(now); }

    bool slow = false;
    std::optional<close_reason> refusal{};
    time_point until = never;
    std::string asked{};
    std::vector<std::string> denied{};

private:
    std::string user_;
    std::string client_id_;
    std::vector<std::string> rules_;
    answered later_;
};

} // namespace broker::test
