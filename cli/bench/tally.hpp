// tally: what one subscriber has of each publisher, by the numbers in the payloads: what is missing, doubled and out of order.
#pragma once

#include <cstdint>
#include <vector>

namespace broker::cli::bench {

class tally {
public:
    explicit tally(std::size_t publishers) : of_(publishers) {}

    struct counts {
        std::uint64_t duplicates = 0;
        std::uint64_t out_of_order = 0;
    };
    // Whether it is new. A number below the highest fills a gap if there is one, and is a duplicate if there is none.
    bool add(std::size_t publisher, std::uint32_t number, counts& found) {
        auto& o = of_[publisher];
        if (number >= o.next) {
            o.missing += number - o.next;
            o.next = number + 1;
            return true;
        }
        if (o.missing == 0) {
            ++found.duplicates;
            return false;
        }
        --o.missing;
        ++found.out_of_order;
        return true;
    }
    // Of `sent` messages of this publisher.
    [[nodiscard]] std::uint64_t lost(std::size_t publisher, std::uint64_t sent) const {
        const auto& o = of_[publisher];
        return o.missing + (sent > o.next ? sent - o.next : 0);
    }

private:
    struct one {
        std::uint32_t next = 0;
        std::uint32_t missing = 0; // below next
    };
    std::vector<one> of_;
};

} // namespace broker::cli::bench
