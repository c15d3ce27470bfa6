/** Tests of the kernels: their Java bodies anywhere, and the kernels on a device where there is one. {@code -Dtornado.required=true} makes "no device" a failure. */
package io.llmc4j.tornado.device;
