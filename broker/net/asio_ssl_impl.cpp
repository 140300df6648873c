// The one translation unit that compiles the non-template parts of Asio's TLS.
#include <boost/asio/ssl/impl/src.hpp>
