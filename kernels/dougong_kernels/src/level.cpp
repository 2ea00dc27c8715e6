// One level of the library: built once for every instruction set, as LEVEL with vectors of WIDTH.
#include "backward.h"
#include "decode.h"
#include "forward.h"
#include "groups.h"
#include "norms.h"
#include "pointwise.h"
#include "probe.h"
#include "select.h"

#define STRING_OF(x) #x
#define NAME_OF(x) STRING_OF(x)
#define JOINED(a, b) a##b
#define FOUND(level) JOINED(level_, level)

extern "C" const Level FOUND(LEVEL) = {
    NAME_OF(LEVEL), forward,  decode,     select,   pages,  probe,
    backward,       row_norm, row_norm_backward,    group_norm, group_norm_backward, activation};
