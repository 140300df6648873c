// permessage-deflate, RFC 7692: what is agreed on, what is inflated, what is made.
#include "protocols/websocket/deflate.hpp"
#include "protocols/websocket/deflate_offer.hpp"
#include "protocols/websocket/inflate.hpp"
#include "tests/support/hex.hpp"

#include <doctest/doctest.h>
#include <zlib.h>

#include <memory>
#include <random>

using namespace broker;
using namespace broker::websocket;
using test::hex;

namespace {

// The header of the answer, "-" when nothing is agreed on, "malformed".
std::string answer(std::string_view offers, bool context_takeover = false) {
    const auto chosen = choose_deflate_offer(offers, context_takeover);
    if (!chosen) return "malformed";
    return *chosen ? deflate_answer(**chosen) : "-";
}

// A whole message, fed in pieces of `step` bytes; what was inflated, "broken" or "unfinished" behind it.
std::string inflated(inflater& with, std::string_view message, std::size_t step = 1'000'000) {
    std::string text;
    with.begin();
    for (std::size_t at = 0;; at += step) {
        auto piece = as_bytes(message.substr(std::min(at, message.size()), step));
        const bool last = at + step >= message.size();
        for (;;) {
            const auto s = with.next(piece, last);
            text += as_text(s.piece);
            if (s.now == inflater::state::broken) return text + "broken";
            if (s.now == inflater::state::done) return text + (last && piece.empty() ? "" : "early");
            if (s.now == inflater::state::hungry) break;
        }
        if (last) return text + "unfinished";
    }
}

std::string inflated_alone(std::string_view message, std::size_t step = 1'000'000) {
    inflate_pool pool;
    inflater one{pool, false, 15};
    return inflated(one, message, step);
}

std::string tool(std::string_view text, int bits, int flush = Z_SYNC_FLUSH) { // zlib itself, without its last four bytes
    z_stream z{};
    REQUIRE(deflateInit2(&z, 9, Z_DEFLATED, -bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    std::string out(deflateBound(&z, text.size()) + 64, '\0');
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    z.avail_in = static_cast<uInt>(text.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = static_cast<uInt>(out.size());
    deflate(&z, flush);
    out.resize(out.size() - z.avail_out);
    deflateEnd(&z);
    return flush == Z_SYNC_FLUSH ? out.substr(0, out.size() - 4) : out;
}

std::string random_text(std::mt19937& random, std::size_t size_max) {
    std::string text(std::uniform_int_distribution<std::size_t>{0, size_max}(random), '\0');
    const auto variety = std::uniform_int_distribution<int>{0, 255}(random);
    for (auto& c : text) c = static_cast<char>(std::uniform_int_distribution<int>{0, variety}(random));
    for (int copies = 0; copies != 20 && text.size() > 100; ++copies) {
        const auto size = std::uniform_int_distribution<std::size_t>{0, text.size() / 4}(random);
        const auto from = std::uniform_int_distribution<std::size_t>{0, text.size() - size}(random);
        const auto to = std::uniform_int_distribution<std::size_t>{0, text.size() - size}(random);
        text.replace(to, size, text.substr(from, size));
    }
    return text;
}

} // namespace

TEST_CASE("RFC 7692 §7.1: what is answered to offers") {
    struct row {
        std::string_view offers;
        std::string_view answered;
        std::string_view with_context_takeover;
    };
    constexpr std::string_view plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    const row rows[] = {
        {"", "-", "-"},
        {" , ,", "-", "-"},
        {"permessage-deflate", plain, "permessage-deflate"},
        {"permessage-deflate; client_max_window_bits", plain, "permessage-deflate; client_max_window_bits=12"}, // what Chromium says
        {"permessage-deflate; client_max_window_bits=10", "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=10",
         "permessage-deflate; client_max_window_bits=10"},
        {"permessage-deflate;server_no_context_takeover", plain, "permessage-deflate; server_no_context_takeover"},
        {"permessage-deflate; client_no_context_takeover; client_max_window_bits", plain, "permessage-deflate; client_no_context_takeover"},
        {"permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10",
         "permessage-deflate; server_max_window_bits=10"},
        {"permessage-deflate; server_max_window_bits=\"10\"", "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10",
         "permessage-deflate; server_max_window_bits=10"},
        // Declined: the next is taken, or none.
        {"permessage-deflate; server_max_window_bits=8", "-", "-"},
        {"permessage-deflate; server_max_window_bits=8, permessage-deflate", plain, "permessage-deflate"},
        {"permessage-deflate; server_max_window_bits", "-", "-"},
        {"permessage-deflate; server_max_window_bits=16", "-", "-"},
        {"permessage-deflate; server_max_window_bits=09", "-", "-"},
        {"permessage-deflate; server_max_window_bits=1", "-", "-"},
        {"permessage-deflate; client_max_window_bits=7", "-", "-"},
        {"permessage-deflate; client_max_window_bits=100", "-", "-"},
        {"permessage-deflate; server_no_context_takeover=1", "-", "-"},
        {"permessage-deflate; server_no_context_takeover; server_no_context_takeover", "-", "-"},
        {"permessage-deflate; client_max_window_bits; client_max_window_bits=9", "-", "-"},
        {"permessage-deflate; foo", "-", "-"},
        {"permessage-deflate; foo=bar, permessage-deflate; server_no_context_takeover", plain, "permessage-deflate; server_no_context_takeover"},
        {"x-webkit-deflate-frame", "-", "-"},
        {"foo; a=\"b\", permessage-deflate", plain, "permessage-deflate"},
        {"PERMESSAGE-DEFLATE", "-", "-"},
        // No list of extensions.
        {"permessage-deflate;", "malformed", "malformed"},
        {"permessage-deflate foo", "malformed", "malformed"},
        {"; a", "malformed", "malformed"},
        {"permessage-deflate; a=", "malformed", "malformed"},
        {"permessage-deflate; a=\"b", "malformed", "malformed"},
        {"permessage-deflate; a=\"\"", "malformed", "malformed"},
        {"permessage-deflate; a=\"b c\"", "malformed", "malformed"},
        {"permessage-deflate, a=\"\\", "malformed", "malformed"},
    };
    for (const auto& r : rows) {
        CAPTURE(r.offers);
        CHECK(answer(r.offers) == r.answered);
        CHECK(answer(r.offers, true) == r.with_context_takeover);
    }
    CHECK(answer(std::string_view{"a; b=\"\0\"", 8}) == "malformed");
    CHECK(choose_deflate_offer("permessage-deflate; client_max_window_bits", true).value()->client_window_bits == context_window_bits);
}

TEST_CASE("RFC 7692 §7.2.3: its examples") {
    for (std::size_t step = 1; step != 14; ++step) {
        CAPTURE(step);
        CHECK(inflated_alone(hex("f2 48 cd c9 c9 07 00"), step) == "Hello");                   // §7.2.3.1
        CHECK(inflated_alone(hex("00 05 00 fa ff 48 65 6c 6c 6f 00"), step) == "Hello");       // §7.2.3.3
        CHECK(inflated_alone(hex("f3 48 cd c9 c9 07 00 00"), step) == "Hello");                // §7.2.3.4
        CHECK(inflated_alone(hex("f2 48 05 00 00 00 ff ff ca c9 c9 07 00"), step) == "Hello"); // §7.2.3.5
        CHECK(inflated_alone(hex("00"), step).empty());                                        // §7.2.3.6
        inflate_pool pool;
        inflater keeps{pool, true, 15}; // §7.2.3.2
        CHECK(inflated(keeps, hex("f2 48 cd c9 c9 07 00"), step) == "Hello");
        CHECK(inflated(keeps, hex("f2 00 11 00 00"), step) == "Hello");
    }
    CHECK(inflated_alone(hex("f2 00 11 00 00")).ends_with("broken")); // refers to what was before the message
}

TEST_CASE("final blocks: another may follow, with what was before it") {
    const auto first = hex("f3 48 cd c9 c9 07 00");
    for (std::size_t step = 1; step != 20; ++step) {
        CHECK(inflated_alone(first, step) == "Hello"); // nothing was left out
        CHECK(inflated_alone(first + first, step) == "HelloHello");
        CHECK(inflated_alone(first + hex("f2 00 11 00 00"), step) == "HelloHello");
        inflate_pool pool;
        inflater keeps{pool, true, 15};
        CHECK(inflated(keeps, first, step) == "Hello");
        CHECK(inflated(keeps, hex("f2 00 11 00 00"), step) == "Hello");
    }
}

TEST_CASE("what is not deflate's") {
    CHECK(inflated_alone(hex("06")) == "broken");                               // block type 3
    CHECK(inflated_alone(hex("00 05 00 fa fe 48")) == "broken");                // NLEN is not LEN's complement
    CHECK(inflated_alone("") == "broken");                                      // no block at all
    CHECK(inflated_alone(hex("f2 48 cd c9")).ends_with("broken"));              // ends in a block
    CHECK(inflated_alone(hex("00 20 00 df ff 48 65 6c 6c 6f")).ends_with("broken"));
    inflate_pool pool;
    {
        inflater one{pool, false, 15};
        CHECK(inflated(one, hex("06")) == "broken");
    }
    inflater other{pool, false, 15}; // the stream is as new
    CHECK(inflated(other, hex("f2 48 cd c9 c9 07 00")) == "Hello");
}

TEST_CASE("streams are the pool's between messages, or the connection's with context") {
    inflate_pool pool;
    inflater first{pool, false, 15};
    inflater second{pool, false, 15};
    first.begin();
    byte_view nothing;
    CHECK(first.next(nothing, false).now == inflater::state::hungry);
    CHECK(pool.spare() == 0);
    CHECK(inflated(second, hex("f2 48 cd c9 c9 07 00")) == "Hello");
    CHECK(pool.spare() == 1);
    const auto rest = hex("f2 48 cd c9 c9 07 00");
    auto input = as_bytes(rest);
    CHECK(as_text(first.next(input, true).piece) == "Hello");
    CHECK(pool.spare() == 2);
    inflater keeps{pool, true, 9};
    CHECK(inflated(keeps, rest) == "Hello");
    CHECK(pool.spare() == 2);
    {
        inflater left{pool, false, 15};
        left.begin();
        CHECK(pool.spare() == 1);
    }
    CHECK(pool.spare() == 2);
}

TEST_CASE("a bomb goes off in pieces") {
    const auto bomb = tool(std::string(200 * 1024 * 1024, '\0'), 15);
    CHECK(bomb.size() < 250 * 1024);
    inflate_pool pool;
    inflater one{pool, false, 15};
    one.begin();
    auto input = as_bytes(bomb);
    std::size_t got = 0;
    for (int i = 0; i != 256; ++i) { // 4 MiB
        const auto s = one.next(input, true);
        REQUIRE(s.now == inflater::state::more);
        REQUIRE(s.piece.size() == inflate_pool::piece_max);
        got += s.piece.size();
    }
    CHECK(got == 4 * 1024 * 1024);
    CHECK(input.size() > bomb.size() * 9 / 10); // the rest was not looked at
}

TEST_CASE("a payload is compressed once for all receivers") {
    payload_deflater shop;
    std::string text;
    for (int i = 0; i != 100; ++i) text += "{\"sensor\":" + std::to_string(i) + ",\"celsius\":21.5}";
    const auto m = make_message({.topic = "t", .payload = as_bytes(text)});
    const auto made = shop.deflated(m, 15);
    REQUIRE(made);
    CHECK(made->payload().size() < text.size() * 4 / 10);
    CHECK(inflated_alone(as_text(made->payload())) == text);
    CHECK(shop.deflated(m, 15) == made);
    CHECK(shop.deflated(m, 13) == made); // it needs no larger window
    const auto narrow = shop.deflated(m, 9);
    CHECK(narrow != made);
    inflate_pool pool;
    inflater small{pool, true, 9};
    CHECK(inflated(small, as_text(narrow->payload())) == text);

    std::string packet;
    append_stored(packet, as_bytes("head"));
    packet += as_text(made->payload());
    CHECK(inflated_alone(packet) == "head" + text);
    append_stored_tail(packet, as_bytes(std::string_view{"\0", 1}));
    CHECK(inflated_alone(packet) == "head" + text + '\0');
    std::string long_head;
    append_stored(long_head, as_bytes(std::string(200'000, 'h')));
    CHECK(inflated_alone(long_head + std::string(made->payload().begin(), made->payload().end())) == std::string(200'000, 'h') + text);

    std::mt19937 random{5};
    std::string noise(2000, '\0');
    for (auto& c : noise) c = static_cast<char>(random());
    CHECK(!shop.deflated(make_message({.topic = "t", .payload = as_bytes(noise)}), 15));
    CHECK(!shop.deflated(make_message({.topic = "t"}), 15));
}

TEST_CASE("random messages, every window, both ways of context") {
    const auto seed = std::random_device{}();
    INFO("seed ", seed);
    std::mt19937 random{seed};
    for (int bits = 9; bits <= 15; ++bits) {
        CAPTURE(bits);
        payload_deflater shop;
        inflate_pool pool;
        inflater alone{pool, false, 15};
        inflater exact{pool, true, static_cast<std::uint8_t>(bits)}; // no more window than agreed on
        inflater follows{pool, true, static_cast<std::uint8_t>(bits)};
        context_deflater context{static_cast<std::uint8_t>(bits)};
        for (int i = 0; i != 40; ++i) {
            const auto text = random_text(random, 1u << std::uniform_int_distribution<int>{0, 17}(random));
            const auto head = random_text(random, 100);
            const auto step = std::uniform_int_distribution<std::size_t>{1, 5000}(random);
            CAPTURE(i);
            const auto m = make_message({.topic = "t", .payload = as_bytes(text)});
            if (const auto& made = shop.deflated(m, static_cast<std::uint8_t>(bits))) {
                std::string packet;
                append_stored(packet, as_bytes(head));
                packet += as_text(made->payload());
                append_stored_tail(packet, as_bytes("tail"));
                REQUIRE(inflated(alone, packet, step) == head + text + "tail");
                REQUIRE(inflated(exact, packet, step) == head + text + "tail");
            }
            std::string packet;
            context.deflate(packet, as_bytes(head), as_bytes(text), as_bytes("tail"));
            REQUIRE(inflated(follows, packet, step) == head + text + "tail");
            REQUIRE(inflated(alone, tool(text, bits), step) == text);
            REQUIRE(inflated(alone, tool(text, bits, Z_FINISH), step) == text);
        }
    }
}

TEST_CASE("small messages gain from context takeover") {
    context_deflater context{context_window_bits};
    inflate_pool pool;
    inflater follows{pool, true, context_window_bits};
    std::size_t plain = 0;
    std::size_t sent = 0;
    std::mt19937 random{7};
    for (int i = 0; i != 200; ++i) {
        std::string text = R"({"vehicle":"truck-)" + std::to_string(random() % 100) + R"(","speed_kmh":)" + std::to_string(random() % 120) +
                           R"(,"position":{"latitude":52.)" + std::to_string(random() % 100'000) + R"(,"longitude":13.)" + std::to_string(random() % 100'000) +
                           R"(},"fuel_percent":)" + std::to_string(random() % 100) + R"(,"engine":"on","doors":"closed","odometer_km":)" + std::to_string(random() % 1'000'000) + "}";
        std::string packet;
        context.deflate(packet, {}, as_bytes(text), {});
        CHECK(inflated(follows, packet) == text);
        plain += text.size();
        sent += packet.size();
    }
    CHECK(sent * 10 < plain * 4);
}
