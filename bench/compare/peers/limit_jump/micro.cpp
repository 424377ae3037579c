// Switches by the plain jump, after which every frame that returns is mispredicted.
#include "../limit/ring.hpp"

int main(int argc, char** argv) {
    return measure::run(argc, argv,
                        {{"switch", hops<jump, kind::shallow>},
                         {"switch_deep", hops<jump, kind::deep>},
                         {"switch_pair", pair_hops<jump>},
                         {"switch_flags", hops<jump, kind::deep_with_flags>}});
}
