/** The engine's kernels on a GPU through TornadoVM; an empty room so far: no kernel is here yet. */
package io.llmc4j.tornado;
