// Compressed messages in frames (RFC 7692 §6): what a decoder takes in, and what a channel puts into an outbox.
#include "protocols/websocket/deflate_channel.hpp"
#include "protocols/websocket/encode.hpp"
#include "tests/protocols/websocket/frames.hpp"
#include "tests/support/hex.hpp"

#include <doctest/doctest.h>
#include <malloc.h>

#include <array>
#include <random>

#ifdef __SANITIZE_ADDRESS__ // a malloc of its own, and no header that says so with GCC
extern "C" std::size_t __sanitizer_get_current_allocated_bytes(); // NOLINT(bugprone-reserved-identifier)
#endif

using namespace broker;
using namespace broker::websocket;
using test::frame;
using test::hex;
using test::recorder;

namespace {

using events = std::vector<std::string>;

std::size_t allocated_now() {
#ifdef __SANITIZE_ADDRESS__
    return __sanitizer_get_current_allocated_bytes();
#else
    const auto now = mallinfo2();
    return now.uordblks + now.hblkhd;
#endif
}

std::string packed(std::string_view text) {
    context_deflater d{15};
    std::string to;
    d.deflate(to, {}, as_bytes(text), {});
    return to;
}

// Feeds the bytes in pieces, and what is returned before the next.
template <class Handler>
void feed(decoder& d, Handler& seen, inflater& with, const std::string& bytes, std::size_t step) {
    std::string waiting;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        waiting += bytes.substr(at, step);
        for (;;) {
            auto now = std::exchange(waiting, {});
            const auto rest = d.feed({reinterpret_cast<std::uint8_t*>(now.data()), now.size()}, seen, &with);
            if (!rest) break;
            waiting = as_text(*rest);
        }
    }
}

events decode(const std::string& bytes, std::size_t max = 1000, bool keeps_context = false) {
    events agreed;
    for (std::size_t step = bytes.size(); step != 0; --step) {
        recorder seen;
        decoder d{max};
        inflate_pool pool;
        inflater with{pool, keeps_context, 15};
        feed(d, seen, with, bytes, step);
        if (d.error()) seen.events.push_back("error " + std::to_string(d.error()->code));
        if (step == bytes.size()) agreed = seen.events;
        CHECK(seen.events == agreed);
    }
    return agreed;
}

} // namespace

TEST_CASE("RFC 7692 §6, §7.2.3: RSV1 in frames") {
    const auto hello = hex("f2 48 cd c9 c9 07 00");
    CHECK(decode(frame(0xC1, hello)) == events{"text Hello"});
    CHECK(decode(frame(0x41, hello.substr(0, 3)) + frame(0x80, hello.substr(3))) == events{"text Hello"}); // §7.2.3.1
    CHECK(decode(frame(0x42, hello.substr(0, 3)) + frame(0x89, "?") + frame(0x00, "") + frame(0x80, hello.substr(3))) == events{"ping ?", "binary Hello"});
    CHECK(decode(frame(0x41, hello) + frame(0x80, "")) == events{"text Hello"});
    CHECK(decode(frame(0xC1, hello) + frame(0x81, "plain") + frame(0xC2, hello)) == events{"text Hello", "text plain", "binary Hello"});
    CHECK(decode(frame(0xC1, hello) + frame(0x81, "plain") + frame(0xC1, hex("f2 00 11 00 00")), 1000, true) == events{"text Hello", "text plain", "text Hello"});
    CHECK(decode(frame(0xC1, hex("00"))) == events{"text "}); // §7.2.3.6

    CHECK(decode(frame(0x41, hello.substr(0, 3)) + frame(0xC0, hello.substr(3))) == events{"error 1002"}); // only the first frame has it
    CHECK(decode(frame(0xC9, "?")) == events{"error 1002"});                                               // nor has a control frame
    CHECK(decode(frame(0xA1, hello)) == events{"error 1002"});
    CHECK(decode(frame(0xD1, hello)) == events{"error 1002"});
    CHECK(decode(frame(0xC1, "\x06")) == events{"error 1007"});
    CHECK(decode(frame(0xC1, "")) == events{"error 1007"});
    CHECK(decode(frame(0xC1, packed("\xff"))) == events{"error 1007"}); // text is UTF-8 without compression
    CHECK(decode(frame(0xC1, packed("\xc3"))) == events{"error 1007"});
    CHECK(decode(frame(0xC1, packed("\xc3\xbc"))) == events{"text \xc3\xbc"});
    recorder seen;
    decoder without{1000};
    auto bytes = frame(0xC1, hello);
    without.feed({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()}, seen);
    REQUIRE(without.error());
    CHECK(without.error()->code == 1002);
}

TEST_CASE("the limit is that of the inflated message") {
    CHECK(decode(frame(0xC2, packed(std::string(1000, 'x')))) == events{"binary " + std::string(1000, 'x')});
    CHECK(decode(frame(0xC2, packed(std::string(1001, 'x')))) == events{"error 1009"});
    const auto all = packed(std::string(1001, 'x'));
    CHECK(decode(frame(0x42, all.substr(0, 5)) + frame(0x80, all.substr(5))) == events{"error 1009"});
}

TEST_CASE("limits.max_message: 200 MB in less than one cost no more than a piece") {
    const auto bomb = frame(0xC2, packed(std::string(200 * 1024 * 1024, '\0')));
    REQUIRE(bomb.size() < 1'000'000);
    struct counting final : frame_handler {
        std::size_t bytes = 0;
        std::size_t largest = 0;
        void on_data(byte_view piece, message_kind, bool, bool) override {
            bytes += piece.size();
            largest = std::max(largest, piece.size());
        }
        void on_ping(byte_view) override {}
        void on_pong(byte_view) override {}
        void on_close(std::uint16_t, std::string_view) override {}
    } seen;
    constexpr std::size_t limit = 4 * 1024 * 1024;
    const auto before = allocated_now();
    decoder d{limit};
    const auto pool = std::make_unique<inflate_pool>();
    inflater with{*pool, false, 15};
    auto copy = bomb;
    std::optional<std::span<std::uint8_t>> rest{{reinterpret_cast<std::uint8_t*>(copy.data()), copy.size()}};
    std::size_t most = 0;
    for (std::size_t calls = 0; rest && calls != 1000; ++calls) {
        const auto given = seen.bytes;
        rest = d.feed(*rest, seen, &with);
        CHECK(seen.bytes - given <= decoder::inflated_max);
        most = std::max(most, allocated_now() - before);
    }
    REQUIRE(d.error());
    CHECK(d.error()->code == 1009);
    CHECK(d.error()->cause == close_cause::too_big);
    CHECK(seen.bytes == limit);
    CHECK(seen.largest <= inflate_pool::piece_max);
    CHECK(most - copy.capacity() < 100 * 1024);
}

TEST_CASE("who takes no more gets the rest later") {
    struct reluctant final : test::recorder {
        int asked = 0;
        [[nodiscard]] bool takes_more() const override { return false; }
    } seen;
    std::string text;
    std::mt19937 random{1};
    while (text.size() < 200'000) text += std::to_string(random() % 1000) + ',';
    const auto all = packed(text);
    const auto bytes = frame(0x42, all.substr(0, 1000)) + frame(0x89, "p") + frame(0x80, all.substr(1000)) + frame(0xC1, packed("small")) + frame(0x82, "plain");
    for (const std::size_t step : {1uz, 7uz, 1000uz, bytes.size()}) {
        seen.events.clear();
        decoder d{1'000'000};
        inflate_pool pool;
        inflater with{pool, false, 15};
        feed(d, seen, with, bytes, step);
        CHECK(!d.error());
        CHECK(seen.events == events{"ping p", "binary " + text, "text small", "binary plain"});
    }
    // One piece at a time.
    decoder d{1'000'000};
    inflate_pool pool;
    inflater with{pool, false, 15};
    auto copy = frame(0xC2, all);
    reluctant one;
    const auto rest = d.feed({reinterpret_cast<std::uint8_t*>(copy.data()), copy.size()}, one, &with);
    REQUIRE(rest);
    CHECK(one.message.size() == inflate_pool::piece_max);
    CHECK(one.events.empty());
}

TEST_CASE("many small messages are as bounded as a large one") {
    std::string bytes;
    const auto one = frame(0xC2, packed(std::string(10'000, 'x')));
    while (bytes.size() < 64 * 1024) bytes += one;
    recorder seen;
    decoder d{1'000'000};
    inflate_pool pool;
    inflater with{pool, false, 15};
    const auto rest = d.feed({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()}, seen, &with);
    REQUIRE(rest);
    CHECK(seen.events.size() == 7); // 64 KiB
    CHECK(rest->size() == bytes.size() - 7 * one.size());
}

namespace {

struct sender {
    block_pool blocks;
    deflate_shop shop;
    deflate_channel channel;
    outbox out{blocks, 1 << 30};

    explicit sender(const deflate_agreement& agreed = {}, std::size_t size_min = 100) : channel{shop, agreed, {.enabled = true, .min_size = size_min}} {
        out.frame_with(frame_header);
        out.compress_with(&channel);
    }
    std::string sent() {
        std::string all;
        std::array<byte_view, 64> views;
        while (!out.empty()) {
            std::size_t size = 0;
            for (const auto v : std::span{views}.first(out.gather(views))) {
                all += as_text(v);
                size += v.size();
            }
            out.consume(size);
        }
        return all;
    }
};

// Masks the server's frames, as if a client had sent them.
std::string as_client(std::string_view frames) {
    std::string all;
    while (!frames.empty()) {
        std::size_t header = 2;
        std::size_t size = static_cast<unsigned char>(frames[1]);
        if (size >= 126) {
            const std::size_t length_bytes = size == 126 ? 2 : 8;
            size = 0;
            for (std::size_t i = 0; i != length_bytes; ++i) size = size << 8 | static_cast<unsigned char>(frames[2 + i]);
            header += length_bytes;
        }
        all += frame(static_cast<std::uint8_t>(frames[0]), frames.substr(header, size));
        frames.remove_prefix(header + size);
    }
    return all;
}

message_ptr json(int number, std::size_t size) {
    std::string text = "[";
    while (text.size() < size) text += R"({"sensor":)" + std::to_string(number++) + R"(,"celsius":21.5,"state":"on"},)";
    return make_message({.topic = "t", .payload = as_bytes(text)});
}

events received(const std::string& sent, bool keeps_context, std::uint8_t bits) {
    recorder seen;
    decoder d{100'000'000};
    inflate_pool pool;
    inflater with{pool, keeps_context, bits};
    feed(d, seen, with, as_client(sent), 50'000);
    if (d.error()) seen.events.push_back("error " + std::string{d.error()->what});
    return seen.events;
}

} // namespace

TEST_CASE("packets of head, payload and tail are compressed; others, small ones and what does not get smaller are not") {
    sender to;
    const auto large = json(1, 1500);
    to.out.append(as_bytes("head"), large, as_bytes("tail"), frame_kind::text);
    auto bytes = to.sent();
    CHECK(bytes[0] == '\xC1');
    CHECK(bytes.size() < 600);
    CHECK(received(bytes, false, 15) == events{"text head" + std::string{as_text(large->payload())} + "tail"});
    CHECK(to.shop.traffic().sent_plain == large->payload().size() + 8);
    CHECK(to.shop.traffic().sent_compressed == bytes.size() - 4);

    to.out.append(as_bytes("head"), json(1, 40), {});
    CHECK(to.sent()[0] == '\x82');
    to.out.append(as_bytes(std::string(5000, 'x')));
    CHECK(to.sent()[0] == '\x82');
    std::mt19937 random{1};
    std::string noise(3000, '\0');
    for (auto& c : noise) c = static_cast<char>(random());
    to.out.append(as_bytes("head"), make_message({.topic = "t", .payload = as_bytes(noise)}), {});
    bytes = to.sent();
    CHECK(bytes[0] == '\x82');
    CHECK(received(bytes, false, 15) == events{"binary head" + noise});

    const auto huge = json(5, 3'000'000); // referenced where it is, compressed
    to.out.append(as_bytes("head"), huge, {});
    bytes = to.sent();
    CHECK(bytes[0] == '\xC2');
    CHECK(received(bytes, false, 15) == events{"binary head" + std::string{as_text(huge->payload())}});
    CHECK(to.out.take_packets() == 5);
}

TEST_CASE("connections of a shard, with windows of their own") {
    sender one;
    const auto m = json(1, 4000);
    deflate_channel wide{one.shop, {}, {}};
    deflate_channel narrow{one.shop, {.server_window_bits = 9}, {}};
    for (auto* channel : {&wide, &narrow}) {
        one.out.compress_with(channel);
        one.out.append(as_bytes("h"), m, {});
        one.out.append(as_bytes("h"), m, {});
        const auto bytes = one.sent();
        CHECK(received(bytes, true, channel == &wide ? 15 : 9) == events(2, "binary h" + std::string{as_text(m->payload())}));
    }
}

TEST_CASE("with context takeover small packets gain from those before") {
    const auto seed = std::random_device{}();
    INFO("seed ", seed);
    std::mt19937 random{seed};
    for (const auto bits : std::to_array<std::uint8_t>({9, 10, 12, 15})) {
        sender to{{.server_keeps_context = true, .server_window_bits = bits}};
        std::string bytes;
        events expected;
        std::size_t plain = 0;
        for (int i = 0; i != 100; ++i) {
            const auto m = json(static_cast<int>(random() % 100'000), 300);
            const auto head = "PUBLISH " + std::to_string(i);
            to.out.append(as_bytes(head), m, as_bytes(std::string_view{"\0", 1}), frame_kind::text);
            expected.push_back("text " + head + std::string{as_text(m->payload())} + '\0');
            plain += expected.back().size();
            bytes += to.sent();
        }
        CHECK(received(bytes, true, std::min(bits, context_window_bits)) == expected);
        CHECK(bytes.size() * 10 < plain * 4);
    }
}

TEST_CASE("what a connection costs") {
    const auto shop = std::make_unique<deflate_shop>();
    block_pool blocks;
    outbox out{blocks, 1 << 30};
    const auto exchange_with = [&](deflate_channel& channel) {
        recorder seen;
        decoder d{1'000'000};
        feed(d, seen, channel.input(), frame(0xC2, packed(std::string(100'000, 'x'))), 1000);
        REQUIRE(seen.events.size() == 1);
        out.frame_with(frame_header);
        out.compress_with(&channel);
        out.append(as_bytes("head"), json(1, 5000), {});
        REQUIRE(out.bytes() < 2000);
        out.clear();
    };
    const deflate_agreement context{.server_keeps_context = true, .client_keeps_context = true, .client_window_bits = context_window_bits};
    for (const auto& agreed : {deflate_agreement{}, context}) { // what the shard keeps
        deflate_channel first{*shop, agreed, {}};
        exchange_with(first);
    }
    auto before = allocated_now();
    const auto idle = std::make_unique<deflate_channel>(*shop, deflate_agreement{}, compression_settings{});
    CHECK(allocated_now() - before < 120);
    exchange_with(*idle);
    CHECK(allocated_now() - before < 1000);
    before = allocated_now();
    const auto keeps = std::make_unique<deflate_channel>(*shop, context, compression_settings{});
    exchange_with(*keeps);
    const auto with_context = allocated_now() - before;
    CHECK(with_context > 30 * 1024);
    CHECK(with_context < 51 * 1024);
}

TEST_CASE("bytes that could not be taken are kept") {
    deflate_shop shop;
    deflate_channel channel{shop, {}, {}};
    CHECK(!channel.has_kept());
    channel.keep({});
    CHECK(channel.has_kept());
    CHECK(channel.take_kept().empty());
    CHECK(!channel.has_kept());
    channel.keep(as_bytes("rest"));
    CHECK(channel.take_kept() == "rest");
}
