#pragma once

#include <string_view>

namespace broker {

inline constexpr std::string_view version = BROKER_VERSION; // from project() in CMakeLists.txt

} // namespace broker
