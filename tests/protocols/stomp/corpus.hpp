// Malformed, forbidden and odd STOMP frames and sequences of every version, with the reaction the specification requires.
// docs/conformance/stomp.md names these rows as tests.
#pragma once

#include "core/limits.hpp"
#include "support/scenario.hpp"

namespace broker::test {

[[nodiscard]] dialect stomp_dialect();

// The limits the rows count on, for an engine without a server around it (stomp_dialect().settings says the same).
[[nodiscard]] limits stomp_corpus_limits();

// Bytes as a pattern of support/wire.hpp: '*' stands for any number of bytes.
[[nodiscard]] std::string like(std::string_view bytes);

} // namespace broker::test
