// The walk along the pinned row, from x to out.

export const WALK = {
  "Every number of the pinned row": "Từng con số của hàng được ghim",
  "How the query <var>i</var> gets its weights, and what it reads with them. The steps show one key <var>j</var>; the table has all of them, and a click on a row chooses another.":
    "Truy vấn (query) <var>i</var> có được các trọng số ra sao, và dùng chúng để đọc gì. Các bước cho xem một khóa (key) <var>j</var>; bảng có tất cả các khóa, nhấp vào một hàng để chọn khóa khác.",
  "query {query} {i}, key {key} {j} · {place}": "truy vấn {query} {i}, khóa {key} {j} · {place}",
  "query {query} {i}, key {key} {j} · {place}, step {step}": "truy vấn {query} {i}, khóa {key} {j} · {place}, bước {step}",
  "below 0": "dưới 0",
  "above 0": "trên 0",

  // the way through the steps
  "Steps from x to out; arrow keys walk them": "Các bước từ x đến out; phím mũi tên để đi qua",
  "All at once": "Tất cả",
  "Previous step": "Bước trước",
  "Previous": "Trước",
  "Next step": "Bước sau",
  "The model of step {step} is being unpacked and run …": "Đang mở và chạy mô hình của bước {step} …",
  "Of step {step} this page carries only the weights of the attention. All that they are computed from is there at {count} steps: {steps}.":
    "Ở bước {step}, trang chỉ mang các trọng số attention. Mọi thứ để tính ra chúng có ở {count} bước: {steps}.",
  "rotation": "phép xoay",
  "score": "điểm",
  "scale": "tỉ lệ",
  "mask": "mặt nạ",
  "weighted sum of V": "tổng có trọng số của V",

  // x
  "What a position brings to the attention: X + pe, so that each token says where it stands.":
    "Những gì một vị trí mang đến cho attention: X + pe, để mỗi token cho biết nó đứng ở đâu.",
  "What a position brings to the attention.": "Những gì một vị trí mang đến cho attention.",
  "What a position brings to this layer’s attention: x, which the {norm} before it makes of the {stream}.":
    "Những gì một vị trí mang đến cho attention của lớp này: x, do phép {norm} (norm) đứng trước tạo ra từ {stream} (residual stream).",
  "Its position was encoded before the first layer: pe, a learned vector for each position, was added to the embedding of the token.":
    "Vị trí đã được mã hóa trước lớp đầu tiên: pe, một vectơ học được cho mỗi vị trí, được cộng vào embedding của token.",
  "Its position was encoded before the first layer: pe, sines and cosines of the position, was added to the embedding of the token.":
    "Vị trí đã được mã hóa trước lớp đầu tiên: pe, gồm sin và cos của vị trí, được cộng vào embedding của token.",
  "No pe was added to it: {rope} encodes positions by rotating q and k, further down.":
    "Không có pe nào được cộng vào: {rope} mã hóa vị trí bằng cách xoay q và k, ở phía dưới.",
  "The mean of its channels is subtracted, the rest divided by the root of its mean square, and each channel multiplied by a learned gain.":
    "Trừ đi trung bình của các kênh, chia phần còn lại cho căn của trung bình bình phương, rồi nhân mỗi kênh với một hệ số (gain) học được.",
  "It is divided by the root of the mean square of its channels, and each channel multiplied by a learned gain.":
    "Chia nó cho căn của trung bình bình phương các kênh, rồi nhân mỗi kênh với một hệ số (gain) học được.",
  "stream at the query": "dòng dư tại truy vấn",
  "x of the query": "x của truy vấn",
  "stream at the key": "dòng dư tại khóa",
  "x of the key": "x của khóa",
  "channel {channel}: {value}": "kênh {channel}: {value}",

  // q, k and v
  "A position has three vectors in this head: q, what it looks for; k, what it is matched by; v, what it gives.":
    "Trong đầu này, mỗi vị trí có ba vectơ: q (query, truy vấn), điều nó tìm; k (key, khóa), thứ để so khớp với nó; v (value, giá trị), điều nó trao.",
  "One learned matrix, {qkv}, makes them of its x: each channel is the dot product of x and a row of the matrix.":
    "Một ma trận học được, {qkv}, tạo ra chúng từ x: mỗi kênh là tích vô hướng của x với một hàng của ma trận.",
  "Each channel is the dot product of x and a column of its matrix W.": "Mỗi kênh là tích vô hướng của x với một cột của ma trận W.",
  "Choose a channel by a click or the arrow keys: it is multiplied out below.": "Chọn một kênh bằng cách nhấp hoặc dùng phím mũi tên: phép nhân được viết ra bên dưới.",
  "What it makes of q and k goes through a norm first, and cannot be computed back: the page does not carry the weights here.":
    "q và k còn đi qua một phép chuẩn hóa, và không tính ngược lại được: ở đây trang không mang trọng số.",
  "q and k were logged after their rotation; what they were before it is computed back here.":
    "q và k được ghi sau phép xoay; giá trị trước khi xoay được tính ngược lại ở đây.",
  "q of the query": "q của truy vấn",
  "k of the key": "k của khóa",
  "v of the key": "v của khóa",
  "raw {vector}": "{vector} thô",
  "normed {vector}": "{vector} chuẩn hóa",
  "{vector} before the norm": "{vector} trước chuẩn hóa",
  "{vector} before the rotation": "{vector} trước phép xoay",
  "{vector} after the norm, before the rotation": "{vector} sau chuẩn hóa, trước phép xoay",
  "rounded to 16 bits": "làm tròn đến 16 bit",
  "rounded to 8 bits": "làm tròn đến 8 bit",
  "The page carries the weights of this step {format}.": "Trang mang theo trọng số của bước này {format}.",
  "What was not logged is computed by the model in this page.": "Những gì chưa được ghi thì do mô hình trong trang này tính.",
  "Computed with them, q, k and v differ from those that were logged by at most {difference}.":
    "Tính bằng chúng, q, k và v khác với giá trị đã ghi nhiều nhất {difference}.",
  "largest first": "lớn nhất trước",
  " + {sum} (the other {count})": " + {sum} ({count} số còn lại)",
  " + {bias} (bias)": " + {bias} (bias)",
  "All {count} products": "Tất cả {count} tích",
  "; logged: {number}, {difference} apart": "; đã ghi: {number}, lệch {difference}",

  // their norm and rotation
  "Before they meet, q and k go through a {norm}, so that their length says nothing (qk-norm).":
    "Trước khi gặp nhau, q và k đi qua một phép {norm}, để độ dài của chúng không còn ý nghĩa (qk-norm).",
  "Each is divided by the root of the mean square of its channels, and each channel multiplied by a learned gain.":
    "Mỗi vectơ được chia cho căn của trung bình bình phương các kênh, rồi mỗi kênh được nhân với một hệ số (gain) học được.",
  "The page does not carry its gains here: q and k are shown after the norm and before the rotation, computed back.":
    "Ở đây trang không mang các hệ số ấy: q và k được hiển thị sau chuẩn hóa và trước phép xoay, nhờ tính ngược lại.",
  "The page does not carry its gains here: q and k are shown after the norm.": "Ở đây trang không mang các hệ số ấy: q và k được hiển thị sau chuẩn hóa.",
  "rope rotates each channel c together with channel c + {half}, by an angle that grows with the position.":
    "rope xoay mỗi kênh c cùng với kênh c + {half}, theo một góc tăng dần theo vị trí.",
  "q and k were logged after the rotation; what they were before it is computed back here.":
    "q và k được ghi sau phép xoay; giá trị trước khi xoay được tính ngược lại ở đây.",
  "Channels {first} and {second}, by position × {formula} = position × {angle}:": "Kênh {first} và {second}, theo vị trí × {formula} = vị trí × {angle}:",
  "{vector} at {position}: {position} × {angle} = {product} rad": "{vector} tại {position}: {position} × {angle} = {product} rad",
  "{letter}: from {a}, {b} to {c}, {d}": "{letter}: từ {a}, {b} đến {c}, {d}",
  "All pairs": "Tất cả các cặp",
  "channels": "kênh",
  "angle at {position}": "góc tại {position}",
  "{vector} before": "{vector} trước",
  "{vector} after": "{vector} sau",

  // from score to weight
  "q of the query and k of the key are multiplied channel by channel and added up: the more they point the same way, the larger.":
    "q của truy vấn và k của khóa được nhân với nhau theo từng kênh rồi cộng lại: càng cùng hướng thì càng lớn.",
  "sum of the {count} products": "tổng của {count} tích",
  "No scale: this attention takes the scores as they are.": "Không có tỉ lệ: attention này dùng nguyên các điểm.",
  "The scores are multiplied by {scale}.": "Các điểm được nhân với {scale}.",
  "The more channels, the wider such sums spread, and the softmax would saturate; {formula}, here {numbers}, makes up for their number.":
    "Càng nhiều kênh thì các tổng như vậy càng tản rộng, và softmax sẽ bão hòa; {formula}, ở đây {numbers}, bù lại cho số kênh.",
  "No position may see a later one: −∞ is added to the scores of the keys after the query, 0 to the others. A masked key has a score, but it will never count.":
    "Không vị trí nào được thấy vị trí đứng sau (mặt nạ nhân quả, causal mask): cộng −∞ vào điểm của các khóa sau truy vấn, cộng 0 vào các khóa khác. Khóa bị che vẫn có điểm, nhưng điểm ấy không bao giờ được tính.",
  "exp makes each score positive, and −∞ exactly 0; divided by their sum they become weights that add up to 1.":
    "exp biến mỗi điểm thành số dương, và −∞ thành đúng 0; chia cho tổng thì chúng thành các trọng số có tổng bằng 1.",
  "exp makes each score positive; divided by their sum they become weights that add up to 1.":
    "exp biến mỗi điểm thành số dương; chia cho tổng thì chúng thành các trọng số có tổng bằng 1.",
  "Here the largest, {largest}, is subtracted from all of them first: exp would leave the range in which a computer adds well. The weights stay the same.":
    "Ở đây trước hết trừ số lớn nhất, {largest}, khỏi tất cả: nếu không, exp sẽ vượt ra ngoài khoảng mà máy tính cộng chính xác. Các trọng số vẫn như cũ.",
  "{first}, and {second}": "{first}, và {second}",

  // from weights to out
  "Each key adds its v times its weight; the sum is {z}, this head’s answer for the query.":
    "Mỗi khóa cộng vào v của nó nhân với trọng số; tổng là {z}, câu trả lời của đầu này cho truy vấn.",
  "channel {channel}: {product}, part of {whole}": "kênh {channel}: {product}, một phần của {whole}",
  "weight × {v}": "trọng số × {v}",
  "weight times v of the key": "trọng số nhân v của khóa",
  "z of the query": "z của truy vấn",
  "This head is switched off: zero, or the mean over the text, goes on in the place of this sum.":
    "Đầu này đang tắt: thay cho tổng này là số không, hoặc trung bình trên văn bản.",
  "The answers of all {heads} heads, one after the other, are mixed by the matrix {proj} into {out}.":
    "Câu trả lời của cả {heads} đầu, nối tiếp nhau, được ma trận {proj} trộn thành {out}.",
  "The answer goes through the matrix {proj} and becomes {out}.": "Câu trả lời đi qua ma trận {proj} và trở thành {out}.",
  "That is added to the stream. It is shown as it was logged: the page does not carry the matrix here.":
    "Kết quả ấy được cộng vào dòng dư. Nó được hiển thị như đã ghi: ở đây trang không mang ma trận này.",
  "That is added to the stream. Each head has its own columns of proj: what they make of its z is what the head writes.":
    "Kết quả ấy được cộng vào dòng dư. Mỗi đầu có những cột riêng của proj: những gì chúng tạo ra từ z là điều mà đầu ấy viết.",
  "all {z}": "mọi {z}",
  "z of all heads": "z của tất cả các đầu",
  "head {head} writes": "đầu {head} viết",
  "what head {head} writes": "những gì đầu {head} viết",
  "head {head}, channel {channel}:": "đầu {head}, kênh {channel}:",
  "out of the query": "out của truy vấn",

  // the table and the file
  "The row key by key. Up and down choose a key, left and right read its numbers.":
    "Hàng này theo từng khóa. Lên và xuống để chọn khóa, trái và phải để đọc các số của nó.",
  "Every key": "Từng khóa",
  "key {j}": "khóa {j}",
  "sum": "tổng",
  "0 or −∞": "0 hoặc −∞",
  "weight": "trọng số",
  "sum over all keys": "tổng trên mọi khóa",
  "Keys {first} to {last} of {count}, those around the chosen one; the sums are over all.":
    "Khóa {first} đến {last} trong số {count}, quanh khóa được chọn; các tổng tính trên tất cả.",
  "key {j} {token} · {what}: {value}": "khóa {j} {token} · {what}: {value}",
  "q × k, channel {channel}": "q × k, kênh {channel}",
  "scaled score": "điểm theo tỉ lệ",
  "weight × v, channel {channel}": "trọng số × v, kênh {channel}",
  "0, masked": "0, bị che",
  "Save this row as CSV": "Lưu hàng này thành CSV",
  "The row as CSV, to be copied": "Hàng này dạng CSV, để sao chép",
  "Computed again on this page from q and k, in float64: {verdict}.": "Tính lại ngay trên trang này từ q và k, bằng float64: {verdict}.",
  "Computed by the model in this page, whose weights it carries {format}: {verdict}.":
    "Do mô hình trong trang này tính, với trọng số mang theo {format}: {verdict}.",
  "the model’s own weights": "trọng số của chính mô hình",
  "the logged weights": "trọng số đã ghi",
  "agrees with {weights} in every digit": "khớp với {weights} đến từng chữ số",
  "agrees with {weights} to {difference}": "khớp với {weights} trong phạm vi {difference}",
  "does not agree with {weights}, off by up to {difference}": "không khớp với {weights}, lệch đến {difference}",
};
