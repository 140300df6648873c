// A key file or a set of keys, arbitrary. What is taken verifies nothing that it did not sign.
#include "core/assert.hpp"
#include "core/bytes.hpp"
#include "security/key.hpp"

using namespace broker;
using namespace broker::security;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = as_text({data, size});
    for (const auto& set : {parse_jwks(text, false), parse_jwks(text, true), parse_key_file(text)}) {
        if (!set) {
            BROKER_ASSERT(!set.error().empty());
            continue;
        }
        BROKER_ASSERT(!set->keys.empty() && set->keys.size() <= jwks_keys_max);
        for (const auto& k : set->keys) {
            for (const std::size_t length : {0U, 32U, 64U, 256U}) BROKER_ASSERT(!k.verify("text", std::string(length, '\1')));
            if (k.is_secret()) BROKER_ASSERT(k.verify("text", *k.sign("text")));
        }
    }
    return 0;
}
