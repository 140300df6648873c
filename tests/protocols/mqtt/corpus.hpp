// Illegal and odd MQTT packets and sequences of every version, with the reaction the specification requires, and one
// valid packet of each kind. docs/conformance/mqtt.md names these rows as tests.
#pragma once

#include "core/limits.hpp"
#include "support/scenario.hpp"

namespace broker::test {

[[nodiscard]] dialect mqtt_dialect();
[[nodiscard]] std::vector<std::string> split_mqtt(std::string_view bytes); // its `split`

// The limits the rows count on, for an engine without a server around it (mqtt_dialect().settings says the same).
[[nodiscard]] limits mqtt_corpus_limits();

// Valid packets and their answers: cut anywhere they only wait.
[[nodiscard]] std::vector<scenario> valid_mqtt_packets();

} // namespace broker::test
