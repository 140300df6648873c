#include "storage/crc32c.hpp"
#include "storage/rocks_log.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include <random>

using namespace broker::storage;
using verdict = log_finding::verdict;

namespace {

constexpr std::size_t block = 32 * 1024;

// A log as RocksDB writes it.
class log_writer {
public:
    std::string bytes;
    std::vector<std::size_t> ends; // of logical records

    void add(std::string_view payload) {
        bool begun = false;
        do {
            const auto left = block - bytes.size() % block;
            if (left < 7) bytes.append(left, '\0');
            const auto room = block - bytes.size() % block - 7;
            const auto part = payload.substr(0, room);
            payload.remove_prefix(part.size());
            const char type = static_cast<char>(!begun && payload.empty() ? 1 : !begun ? 2 : payload.empty() ? 4 : 3);
            const auto body = std::string{type} + std::string{part};
            const auto crc = crc32c(body);
            const auto masked = ((crc >> 15) | (crc << 17)) + 0xA282EAD8U;
            for (int i = 0; i != 4; ++i) bytes.push_back(static_cast<char>(masked >> (8 * i)));
            bytes.push_back(static_cast<char>(part.size() & 0xFF));
            bytes.push_back(static_cast<char>(part.size() >> 8));
            bytes += body;
            begun = true;
        } while (!payload.empty());
        ends.push_back(bytes.size());
    }
};

log_writer sample() {
    log_writer log;
    std::mt19937 random{7};
    for (const auto size : {40, 700, 70'000, 1, 0, 3000, 40'000, 200, 600}) {
        std::string payload;
        for (int i = 0; i != size; ++i) payload.push_back(static_cast<char>('a' + random() % 26));
        log.add(payload);
    }
    return log;
}

} // namespace

TEST_CASE("CRC-32C of RFC 3720 B.4") {
    CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AA);
    CHECK(crc32c(std::string(32, '\xFF')) == 0x62A8AB43);
    CHECK(crc32c("123456789") == 0xE3069283);
    std::string bytes;
    for (int i = 0; i != 300; ++i) {
        bytes.push_back(static_cast<char>(i * 7));
        CHECK(crc32c(bytes) == crc32c_by_table(bytes));
        CHECK(crc32c(std::string_view{bytes}.substr(i / 3), 5) == crc32c_by_table(std::string_view{bytes}.substr(i / 3), 5));
    }
}

TEST_CASE("a whole log is intact; cut anywhere behind what was synced it is torn, before that damaged") {
    const auto log = sample();
    CHECK(check_log(log.bytes, {.synced = log.bytes.size(), .every_group_synced = true}).what == verdict::intact);
    CHECK(check_log(log.bytes, {.synced = log.bytes.size(), .every_group_synced = true}).records == log.ends.size());
    const auto synced = log.ends[5];
    for (std::size_t cut = 0; cut < log.bytes.size(); cut += 1 + cut % 97) {
        CAPTURE(cut);
        const auto found = check_log(std::string_view{log.bytes}.substr(0, cut), {.synced = synced, .every_group_synced = true});
        if (cut < synced) {
            CHECK(found.what == verdict::damaged);
        } else {
            CHECK(found.what != verdict::damaged);
            // What is kept are whole records.
            if (found.what == verdict::torn) CHECK(std::ranges::find(log.ends, found.at) != log.ends.end());
        }
    }
}

TEST_CASE("a flipped bit is damage wherever it is, in the last record too") {
    const auto log = sample();
    for (std::size_t at = 0; at < log.bytes.size(); at += at > log.ends[7] ? 1 : 1 + at % 131) {
        auto bytes = log.bytes;
        bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
        const auto found = check_log(bytes, {.synced = 0, .every_group_synced = true});
        // Padding at the end of a block belongs to no record.
        if (found.what == verdict::intact) {
            CHECK(block - at % block < 7);
            continue;
        }
        CAPTURE(at);
        CHECK(found.what == verdict::damaged);
    }
}

TEST_CASE("garbage of a failed write is no damage when the next group has the number it would have had") {
    const auto numbered = [](std::uint64_t number, std::uint32_t count) {
        std::string payload(12, '\0');
        for (int i = 0; i != 8; ++i) payload[static_cast<std::size_t>(i)] = static_cast<char>(number >> (8 * i));
        for (int i = 0; i != 4; ++i) payload[static_cast<std::size_t>(8 + i)] = static_cast<char>(count >> (8 * i));
        return payload + std::string(300, 'p');
    };
    for (const std::uint64_t number : {105U, 106U}) {
        log_writer log;
        log.add(numbered(100, 5));
        log.bytes += log.bytes.substr(0, 100);
        log.add(numbered(number, 2));
        const auto found = check_log(log.bytes, {.numbered = true});
        CHECK(found.what == (number == 105 ? verdict::torn : verdict::damaged));
        CHECK(found.next == 105);
        CHECK(found.first == 100);
    }
}

TEST_CASE("pages that never reached the disk are a torn tail when nothing later did") {
    const auto log = sample();
    auto bytes = log.bytes;
    const auto hole = log.ends[5] + 1024 - log.ends[5] % 512; // within the last group but two
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(hole), 4096, '\0');
    CHECK(check_log(bytes, {.synced = 0, .every_group_synced = true}).what == verdict::damaged); // later groups prove that it was acknowledged
    CHECK(check_log(bytes, {.synced = 0, .every_group_synced = false}).what == verdict::torn);   // unless groups are not synced one by one
    CHECK(check_log(bytes, {.synced = hole + 1, .every_group_synced = false}).what == verdict::damaged);
    bytes.resize(log.ends[6]);
    CHECK(check_log(bytes, {.synced = 0, .every_group_synced = true}).what == verdict::torn);
    CHECK(check_log(bytes, {.synced = 0, .every_group_synced = true}).at == log.ends[5]);
}
