// A password file, arbitrary: refused with its line and without its passwords, or users whose hashes can be read again.
#include "core/assert.hpp"
#include "core/bytes.hpp"
#include "security/users.hpp"

using namespace broker;
using namespace broker::security;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto users = import_mosquitto_passwords(as_text({data, size}), "pw");
    if (!users) {
        BROKER_ASSERT(users.error().starts_with("pw:"));
        return 0;
    }
    for (const auto& u : *users) {
        BROKER_ASSERT(!u.name.empty());
        const auto again = password_hash::parse(u.hash.text());
        BROKER_ASSERT(again && again->text() == u.hash.text());
        if (u.hash.text().starts_with("$6$")) (void)u.hash.matches("password"); // the others take their time
    }
    return 0;
}
