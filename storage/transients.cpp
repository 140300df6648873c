#include "storage/transients.hpp"

#include <boost/functional/hash.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include <vector>

namespace broker::storage {

namespace {

struct place {
    column in{};
    std::string_view key{};
    friend bool operator==(const place&, const place&) = default;
};

struct place_hash {
    std::size_t operator()(const place& p) const {
        auto h = boost::hash<std::string_view>{}(p.key);
        boost::hash_combine(h, static_cast<std::size_t>(p.in));
        return h;
    }
};

} // namespace

bool without_transients(std::span<const batch* const> group, batch& into) {
    boost::unordered_flat_map<place, std::size_t, place_hash> fresh; // new keys, and which operation put them
    std::vector<bool> dropped;
    std::size_t count = 0;
    bool any = false;
    for (const auto* const b : group) dropped.resize(dropped.size() + b->operations());
    for (const auto* const b : group) {
        b->for_each([&](const batch::operation& o) {
            const auto at = count++;
            if (o.is_new) {
                const auto [known, first] = fresh.emplace(place{o.in, o.key}, at);
                if (!first) fresh.erase(known); // put twice: then it has to be erased
            } else if (o.what == batch::operation::kind::put) {
                fresh.erase(place{o.in, o.key}); // put again: then it has to be erased
            } else if (o.what == batch::operation::kind::erase) {
                const auto it = fresh.find(place{o.in, o.key});
                if (it == fresh.end()) return;
                dropped[at] = dropped[it->second] = any = true;
                fresh.erase(it);
            }
        });
    }
    if (!any) return false;
    count = 0;
    for (const auto* const b : group) {
        b->for_each([&](const batch::operation& o) {
            if (!dropped[count++]) into.add(o);
        });
        into.require(b->required());
    }
    return true;
}

} // namespace broker::storage
