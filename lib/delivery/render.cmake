# Rendering knows JSON and PEM, and of the other steps only their types.
keyturn_library(delivery_render
  SRCS render.cc render_document.cc render_escape.cc render_formats.cc render_mustache.cc
       render_quote_state.cc render_template.cc
  DEPS keyturn::base
  PRIVATE_DEPS keyturn::json keyturn::nlohmann keyturn::pem)
