// How a listener speaks TLS, as an operator writes it: listener key `tls`. Files are PEM.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace broker {

enum class tls_version : std::uint8_t { v1_2, v1_3 };

struct tls_certificate_files {
    std::string cert{}; // the server's certificate first, then those that lead to the root
    std::string key{};
};

struct tls_settings {
    std::vector<tls_certificate_files> certificates{}; // the first is for clients that name no host another one is for
    tls_version min = tls_version::v1_2;
};

} // namespace broker
