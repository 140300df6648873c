// run: brokerctl bench.
#pragma once

#include "cli/bench/options.hpp"

namespace broker::cli::bench {

// Opens the connections, loads the broker, prints the figures to standard output and returns brokerctl's exit status: 0; 2 when messages
// were lost or refused or the broker closed connections; 1, 3 or 4 when clients could not connect. SIGINT and SIGTERM end it early with
// the figures so far. Throws unreachable, or std::runtime_error, one line.
[[nodiscard]] int run(const options& o); // as checked() returned them

} // namespace broker::cli::bench
