// verdict_cache: a connection's rights with its last verdicts beside them: a client publishes to the same topics again and
// again. Direct mapped, and not there before the first question.
#pragma once

#include "security/rights.hpp"

#include <array>
#include <functional>

namespace broker::security {

class verdict_cache {
public:
    explicit verdict_cache(std::shared_ptr<const rights> of) : rights_{std::move(of)} {}

    // verdict::by lives until replace().
    [[nodiscard]] verdict verdict_on(action a, std::string_view topic) {
        if (topic.size() > topic_bytes_max) return rights_->verdict_on(a, topic);
        if (!kept_) kept_ = std::make_unique<std::array<entry, entries>>();
        const auto hash = std::hash<std::string_view>{}(topic) + static_cast<std::size_t>(a);
        auto& e = (*kept_)[hash % entries];
        if (e.hash != hash || e.asked != a || e.topic != topic || e.topic.empty()) {
            e.given = rights_->verdict_on(a, topic);
            e.hash = hash;
            e.asked = a;
            e.topic = topic;
        }
        return e.given;
    }

    [[nodiscard]] const rights& all() const { return *rights_; }

    // The rules changed, or the client proved to be somebody else: everything is asked anew.
    void replace(std::shared_ptr<const rights> of) {
        kept_.reset();
        rights_ = std::move(of);
    }

private:
    static constexpr std::size_t entries = 32;
    static constexpr std::size_t topic_bytes_max = 256; // so that a connection's cache stays small
    struct entry {
        std::size_t hash = 0;
        std::string topic{};
        verdict given{};
        action asked = action::publish;
    };

    std::shared_ptr<const rights> rights_;
    std::unique_ptr<std::array<entry, entries>> kept_;
};

} // namespace broker::security
