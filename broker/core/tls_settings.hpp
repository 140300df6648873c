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

// Certificates that clients show.
struct tls_client_settings {
    enum class verification : std::uint8_t { none, optional, required };
    enum class name : std::uint8_t { common_name, alternative_name };
    verification verify = verification::none; // optional: none is fine, one that does not hold is not
    std::string ca{};                         // who may have signed them
    std::string crl{};                        // revoked ones; empty: no list
    name identity = name::common_name;        // what a client is called
};

struct tls_settings {
    std::vector<tls_certificate_files> certificates{}; // the first is for clients that name no host another one is for
    tls_version min = tls_version::v1_2;
    tls_client_settings client{};
    bool watch = true; // changed files are read again
};

// Everything that is read.
[[nodiscard]] inline std::vector<std::string> files_of(const tls_settings& s) {
    std::vector<std::string> files;
    for (const auto& c : s.certificates) files.insert(files.end(), {c.cert, c.key});
    for (const auto& file : {s.client.ca, s.client.crl}) {
        if (!file.empty()) files.push_back(file);
    }
    return files;
}

} // namespace broker
