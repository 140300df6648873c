broker_fuzz(handshake SOURCES handshake.cpp LINK broker::handshake)
