// login_counts: what came of clients' logins, by the method that decided. A login counts once, when it is decided; what a client brings later, and
// what bans and limits say besides, does not. Threading: any.
#pragma once

#include "security/access_control.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

namespace broker {

class login_counts {
public:
    enum class outcome : std::uint8_t { allowed, denied, expired, unavailable };
    static constexpr std::array<std::string_view, 4> outcome_names{"allowed", "denied", "expired", "unavailable"};

    void count(security::method by, outcome what) { add(static_cast<std::size_t>(by), what); }
    // An `admitted` or a `denied`.
    void count(const security::access_decision& given) {
        if (const auto* const yes = std::get_if<security::admitted>(&given)) return count(yes->by, outcome::allowed);
        const auto& no = std::get<security::denied>(given);
        add(no.by ? static_cast<std::size_t>(*no.by) : security::methods,
            no.unavailable ? outcome::unavailable : no.expired ? outcome::expired : outcome::denied);
    }
    // visit(method, outcome, times), for all of them; the method is "none" where none recognised what the client brought.
    template <class Visit>
    void for_each(Visit visit) const {
        for (std::size_t m = 0; m != times_.size(); ++m) {
            const auto by = m == security::methods ? std::string_view{"none"} : security::name(static_cast<security::method>(m));
            for (std::size_t o = 0; o != outcome_names.size(); ++o) visit(by, outcome_names[o], times_[m][o].load(std::memory_order_relaxed));
        }
    }

private:
    void add(std::size_t method, outcome what) { times_[method][static_cast<std::size_t>(what)].fetch_add(1, std::memory_order_relaxed); }

    std::array<std::array<std::atomic<std::uint64_t>, outcome_names.size()>, security::methods + 1> times_{};
};

} // namespace broker
