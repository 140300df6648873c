broker_fuzz(jwt SOURCES jwt.cpp LINK broker::security)
broker_fuzz(jwks SOURCES jwks.cpp LINK broker::security)
broker_fuzz(mosquitto_acl SOURCES mosquitto_acl.cpp LINK broker::security)
broker_fuzz(mosquitto_passwords SOURCES mosquitto_passwords.cpp LINK broker::security)
