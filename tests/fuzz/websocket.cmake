broker_fuzz(websocket SOURCES websocket.cpp LINK broker::websocket)
broker_fuzz(deflate SOURCES deflate.cpp LINK broker::websocket)
