// bans: who is not let in, until when, and why: addresses and networks, users, client ids. Those of administrators are kept by whoever
// calls; those that come of failed logins and of coming again and again are forgotten with the process.
// Threading: any.
#pragma once

#include "core/rate.hpp"
#include "core/result.hpp"
#include "security/address.hpp"

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace broker::security {

enum class ban_kind : std::uint8_t { address, user, client_id };
[[nodiscard]] std::string_view name(ban_kind k); // "address"
[[nodiscard]] std::optional<ban_kind> ban_kind_named(std::string_view word);

struct ban {
    ban_kind what = ban_kind::address;
    std::string whom{};        // "192.0.2.0/24", "olga"
    time_point until = never;
    std::string why{};         // for listings and the log
    bool by_itself = false;    // no administrator's
};

class bans {
public:
    static constexpr std::size_t most = 100'000;

    // Another one of the same is replaced. Error: `whom` is no address or network, or there are too many.
    [[nodiscard]] result<void, std::string> add(ban b, time_point now);
    // How it is written is not how it must be named: 192.0.2.1 and 192.0.2.1/32 are one. False: there is none.
    [[nodiscard]] bool remove(ban_kind what, std::string_view whom);
    [[nodiscard]] std::vector<ban> all(time_point now) const;

    [[nodiscard]] bool banned(const ip_address& who, time_point now) const;
    [[nodiscard]] bool banned(ban_kind what, std::string_view whom, time_point now) const; // users and client ids
    [[nodiscard]] bool has_names() const { return names_.load(std::memory_order_relaxed) != 0; } // of users or client ids

private:
    struct network_ban {
        networks of;
        ban entry;
    };
    static constexpr std::size_t networks_max = 1'000; // each is looked at for whoever comes
    [[nodiscard]] std::unordered_map<ip_address, ban>* map_of(const networks::network& n); // null: one of networks_
    void forget_ended(time_point now);
    [[nodiscard]] std::size_t size() const { return addresses_.size() + sites_.size() + networks_.size() + users_.size() + client_ids_.size(); }

    mutable std::shared_mutex mutex_;
    std::unordered_map<ip_address, ban> addresses_;
    std::unordered_map<ip_address, ban> sites_; // of IPv6: /64
    std::vector<network_ban> networks_;
    std::unordered_map<std::string, ban> users_;
    std::unordered_map<std::string, ban> client_ids_;
    time_point look_again_at_ = time_point::min(); // for those that have ended
    std::atomic<bool> any_address_{false};
    std::atomic<std::size_t> names_{0};
};

// Something that an address should not do often.
class offences {
public:
    explicit offences(const rate& most) : most_{most} {}

    // It has done it again. True: more often than `most`, and the count begins anew. Loopback addresses are not counted: a proxy of
    // which nothing is known would be everybody.
    [[nodiscard]] bool again(const ip_address& who, time_point now);

private:
    static constexpr std::size_t watched_max = 65'536; // more sites at once are not watched
    struct count {
        std::uint64_t times = 0;
        time_point since{};
    };
    const rate most_;
    std::mutex mutex_;
    std::unordered_map<ip_address, count> counts_;
};

} // namespace broker::security
