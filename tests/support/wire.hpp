// Bytes as one writes them down for a specification, with the lengths computed, and patterns for answers.
//
//   82                 one byte, in hex; white space is free
//   'a/b'              a string with its two-byte length in front
//   "PING"             the characters alone
//   61*300             the byte before, 300 times in all
//   [ 21 0001 ]        a block with its length in front (variable byte integer): MQTT 5 properties
//   30: 'a' [] 68      a colon: the length of everything up to the next ';' (remaining length of an MQTT packet)
//   a ; b              two packets
#pragma once

#include <string>
#include <string_view>

namespace broker::test {

[[nodiscard]] std::string wire(std::string_view text);

// Does `bytes` look like `pattern`? Hex pairs, ".." for any byte, "*" for any number of bytes.
[[nodiscard]] bool looks_like(std::string_view bytes, std::string_view pattern);

} // namespace broker::test
