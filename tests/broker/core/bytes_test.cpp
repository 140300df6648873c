#include "core/byte_reader.hpp"
#include "core/byte_writer.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace broker;

TEST_CASE("what byte_writer writes byte_reader reads, big-endian") {
    std::string bytes;
    byte_writer{bytes}.u8(1).u16(0x0203).u32(0x04050607).u64(0x08090A0B0C0D0E0F).text16("ab").text32("c").raw("!");
    CHECK(bytes == std::string{"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x00\x02"
                               "ab\x00\x00\x00\x01"
                               "c!", 25});
    byte_reader in{as_bytes(bytes)};
    CHECK(in.u8() == 1);
    CHECK(in.u16() == 0x0203);
    CHECK(in.u32() == 0x04050607);
    CHECK(in.u64() == 0x08090A0B0C0D0E0F);
    CHECK(in.text16() == "ab");
    CHECK(in.text32() == "c");
    CHECK_FALSE(in.finished());
    CHECK(as_text(in.rest()) == "!");
    CHECK(in.finished());
}

TEST_CASE("the first read past the end fails all that follow") {
    const std::string bytes{"\x00\x05" "abc\x01", 6};
    byte_reader in{as_bytes(bytes)};
    CHECK(in.text16().empty()); // five are promised, four are there
    CHECK(in.failed());
    CHECK(in.u8() == 0); // although a byte would be left
    CHECK(in.empty());
    CHECK_FALSE(in.finished());
}
